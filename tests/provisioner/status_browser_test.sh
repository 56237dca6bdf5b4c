#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The status page as headless Chromium shows it, of a cluster in memory that the whole provisioner
# works on (status_server.c): the grid, and that nothing from the cluster is taken for HTML.
#
# usage: BUILD=build tests/provisioner/status_browser_test.sh [SCREENSHOT.png]
set -u
build=${BUILD:-build}
passed=0 failed=0
folder=$(mktemp -d)
server=''

# The server ends with its standard input.
finish() {
  exec 3>&-
  [ -z "$server" ] || wait "$server"
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

report() { # NAME RESULT
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok: $1"
  else
    failed=$((failed + 1))
    echo "FAILED: $1"
  fi
}
shows() { # NAME TEXT: the page as the browser has made it
  [[ $page == *"$2"* ]]
  report "$1" $?
}
lacks() { # NAME TEXT
  [[ $page != *"$2"* ]]
  report "$1" $?
}
counts() { # NAME NUMBER TEXT: so many of TEXT
  [ "$(grep -oF -- "$3" <<<"$page" | wc -l)" -eq "$2" ]
  report "$1" $?
}

# browse FLAG... URL: nothing but the page is asked for, of nobody but this machine
browse() {
  timeout 180 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --disable-extensions \
    --host-resolver-rules="MAP * ~NOTFOUND, EXCLUDE 127.0.0.1" --no-proxy-server --user-data-dir="$folder/profile" \
    --enable-logging=stderr --virtual-time-budget=12000 "$@" 2>"$folder/log"
}

mkfifo "$folder/input"
"$build/tests/provisioner/status_server" <"$folder/input" >"$folder/url" &
server=$!
exec 3>"$folder/input"
until [ -s "$folder/url" ]; do
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
read -r url <"$folder/url"
report "the cluster is as it is to be shown" $?

# Without its script and style, which are text, too.
page=$(browse --dump-dom "$url" | sed '/^<style>/,/^<\/style>/d; /^<script>/,/^<\/script>/d')
shows "the driver and the instance" 'd.example.com 0.1.0, seen by tester'
shows "a set with its replicas" '<span class="namespace">default / </span>web</h2><span>5 replicas</span>'
shows "its template" '<h3>template data</h3>'
counts "bound replicas of all sets" 105 '<li class="tile" data-state="bound">'
counts "one that failed" 1 '<li class="tile" data-state="failed">'
counts "one without a claim" 1 '<li class="tile" data-state="missing">'
counts "one that was scaled away" 1 '<li class="tile" data-state="kept">'
counts "a volume whose claim is gone" 1 '<li class="tile" data-state="released">'
counts "their states in words, not by colour alone" 105 '<span>✓</span><span class="word"> bound</span>'
shows "a path" '<div class="path">/var/lib/ordinal/default/data-web-2</div>'
shows "a size" '<span class="size">1 GiB</span>'
shows "an age" '>age '
shows "a claim's name" '<div class="names">claim data-web-0</div>'
shows "what went wrong" 'failed to provision volume with StorageClass "broken": no room'
shows "that somebody has to look" '<title>Ordinal: 1 wrong</title>'
shows "a large set, small" '<ul class="compact">'
shows "the last of a large set" 'aria-label="99, bound"'
shows "a claim of no set" 'default / plain'
shows "how many there are" '<b>✓</b> bound <span class="count">105</span>'
shows "no notice" 'id="notice" role="status" hidden=""'

shows "HTML in a path is text" '/disk/&lt;img src=x onerror=document.title=1&gt;'
shows "HTML in a reason is text" "no room &lt;/script&gt;&lt;script&gt;document.title = 'owned'&lt;/script&gt;"
lacks "no element was made of it" '<img'
lacks "no script was" "<script>document.title"
! grep -q "Content Security Policy" "$folder/log"
report "the page keeps its own policy" $?
! grep -qE 'CONSOLE.*(Error|TypeError|Uncaught)' "$folder/log"
report "its script has no error" $?

if [ $# -gt 0 ]; then
  browse --window-size=1280,1500 --screenshot="$1" "$url"
  report "a picture of it" $?
fi

exec 3>&-
wait "$server"
report "the cluster ends well" $?
server=''

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
