# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The Kubernetes binaries: those in LAB_K8S_BIN, or Debian's source package, built once into the cache.

server_names=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)

# Sets `servers` to the folder that holds the binaries.
servers_find() {
  local name
  servers=${LAB_K8S_BIN:-$(servers_cached)}
  if [ -z "$servers" ]; then
    servers_build_once
    servers=$(servers_cached)
  fi
  for name in "${server_names[@]}"; do
    [ -x "$servers/$name" ] || die "there is no program $servers/$name"
  done
  servers=$(realpath "$servers")
}

# The newest version in the cache; needs no network once it is there.
servers_cached() {
  { find "$LAB_CACHE" -mindepth 2 -maxdepth 2 -path "*/kubernetes-*/bin" 2>/dev/null || true; } | sort -V | tail -n 1
}

servers_build_once() {
  mkdir -p "$LAB_CACHE"
  exec {build_lock}>"$LAB_CACHE/build.lock"
  flock -n "$build_lock" || {
    say "Another run is building the Kubernetes servers: waiting for it"
    flock "$build_lock"
  }
  [ -n "$(servers_cached)" ] || servers_build
  exec {build_lock}>&-
}

servers_build() {
  local work=$LAB_CACHE/build.tmp
  rm -rf "$work" # what an interrupted build left
  mkdir -p "$work/apt/lists/partial" "$work/src"
  "$lab_dir/../install-packages" lab-build
  servers_build_in "$work" || {
    warn "the build failed; the end of $work/log:"
    tail -n 20 "$work/log" >&2
    exit 1
  }
  rm -rf "$work"
}

# The binaries appear in the cache by one rename, at the very end.
servers_build_in() {
  local work=$1 target
  step "Kubernetes source package fetched" servers_fetch "$work" || return
  say "Building the Kubernetes servers, once: about 5 minutes on 2 cores (log: $work/log)"
  step "Kubernetes servers built" servers_compile "$work" || return
  target=$LAB_CACHE/kubernetes-$(servers_source_version "$work")
  mkdir -p "$work/bin" "$target"
  (cd "$work/kubernetes/_output/local/go/bin" && mv "${server_names[@]}" "$work/bin/") &&
    mv "$work/bin" "$target/bin"
}

# apt with lists and sources of its own, so that the machine's configuration stays as it is.
servers_apt() {
  local work=$1
  shift
  "$@" -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State::lists="$work/apt/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o APT::Sandbox::User=root -o Acquire::Retries=3
}

servers_fetch() {
  local work=$1
  {
    servers_source_entries >"$work/apt/sources.list"
    [ -s "$work/apt/sources.list" ] || {
      apt-get -qq update && servers_source_entries >"$work/apt/sources.list"
    } && servers_apt "$work" apt-get -qq update &&
      (cd "$work/src" && servers_apt "$work" apt-get -qq source --download-only kubernetes) &&
      dpkg-source -x "$work"/src/kubernetes_*.dsc "$work/kubernetes"
  } >>"$work/log" 2>&1
}

# deb-src lines for the Debian archives that this machine already uses.
servers_source_entries() {
  # shellcheck disable=SC2016 # apt's variables
  apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)' 'Created-By: Packages' |
    awk -F'|' '$1 == "Debian" { print "deb-src " $2 " " $3 " " $4 }' | sort -u
}

servers_source_version() { dpkg-parsechangelog -l "$1/kubernetes/debian/changelog" -S Version; }

# The tree has no git history, so a file tells the version.
servers_compile() {
  local work=$1 tree=$1/kubernetes upstream
  upstream=$(servers_source_version "$work") # such as 1.20.5+really1.20.2-1.1
  upstream=${upstream#*+really}
  upstream=${upstream%%[-+]*}
  cat >"$work/version" <<END
KUBE_GIT_COMMIT=debian
KUBE_GIT_TREE_STATE=archive
KUBE_GIT_VERSION=v$upstream
KUBE_GIT_MAJOR=${upstream%%.*}
KUBE_GIT_MINOR=$(cut -d. -f2 <<<"$upstream")
END
  mkdir -p "$tree/.go/src/k8s.io"
  ln -s "$tree" "$tree/.go/src/k8s.io/kubernetes"
  make -C "$tree/.go/src/k8s.io/kubernetes" WHAT="${server_names[*]/#/cmd/}" GOLDFLAGS="-s -w" \
    GOPATH="$tree/.go" CGO_ENABLED=0 KUBE_GIT_VERSION_FILE="$work/version" \
    >>"$work/log" 2>&1
}
