# SPDX-License-Identifier: Apache-2.0
#
#   make            build ordinal-provisioner, ordinal-csi with its helper, and kubectl-ordinal in build
#   make demo       the main job on a real Kubernetes, narrated   (KEEP=1, CLUSTER=current, IMAGE=)
#   make test       unit tests, and all that needs no cluster     (SANITIZE=address,undefined)
#   make soak       20,000 random schedules of claims and faults      (SEED=, COUNT=)
#   make e2e        the same story as tests, on the lab
#   make bench-csi  the driver's speed and memory, as root           (BENCH_DIR=, BENCH_FLAGS=)
#   make bench-nfs  the driver's speed on NFS, in a guest
#   make bench-provisioner  the provisioner's, on the lab            (BENCH_DIR=, BENCH_FLAGS=)
#   make image      the container image, build/ordinal-image.tar
#   make install    programs below $(DESTDIR)$(PREFIX)
#   make format tidy clean
#
# V=1 prints the commands. What is missing on the machine is installed by hack/install-packages, as root.

PREFIX   ?= /usr/local
SANITIZE ?=
comma    := ,
BUILD    := build$(if $(SANITIZE),/sanitize-$(subst $(comma),-,$(SANITIZE)))

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
            -Wpointer-arith -Wundef -Wvla -Wwrite-strings
HARDEN   := $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
CPPFLAGS += -D_GNU_SOURCE -Iinclude -I$(BUILD)/proto
ALL_CFLAGS = -std=gnu17 $(CFLAGS) $(WARNINGS) $(HARDEN) -pthread -MMD -MP \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_LDFLAGS = $(LDFLAGS) -pthread -pie -Wl,-z,relro,-z,now,--as-needed \
              $(if $(SANITIZE),-fsanitize=$(SANITIZE))
LIBS = -lcurl -ljson-c -lprotobuf-c -lgrpc_unsecure -lgpr -lmount -lmd -lyaml -lresolv -lmicrohttpd

PROTOS    := csi pluginregistration google/protobuf/timestamp google/protobuf/wrappers
PROTO_SRC := $(PROTOS:%=$(BUILD)/proto/%.pb-c.c)
objects    = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(addsuffix /*.c,$(1)))) \
             $(patsubst %,$(BUILD)/%.o,$(wildcard $(addsuffix /*.html,$(1))))
SHARED    := $(call objects,include) $(PROTO_SRC:.c=.o)
PROGRAMS  := $(addprefix $(BUILD)/,ordinal-provisioner ordinal-csi ordinal-csi-helper kubectl-ordinal)
TESTS     := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/include/*_test.c tests/provisioner/*_test.c \
             tests/provisioner/kubectl/*_test.c tests/csi/*_test.c))
# What runs in guests of User-Mode Linux is never sanitized.
GUEST_TESTS := $(patsubst %.c,build/%,$(wildcard tests/uml/*_test.c)) \
               $(addprefix build/tests/csi/,$(shell tests/csi/core_tests))
Q         := $(if $(V),,@)
say        = @printf '  %-6s %s\n'
SOURCES   := $(wildcard include/*.[ch] provisioner/*.[ch] provisioner/*/*.[ch] csi/*.[ch] csi/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])
GO_SOURCES := $(wildcard tests/deploy/*/*.go)
SCRIPTS    = $(shell grep -lE '^\#!.*(bash|/sh)' $$(git ls-files hack tests .ci 2>/dev/null) 2>/dev/null)

.PHONY: all help demo test soak e2e bench-csi bench-nfs bench-provisioner image install format tidy clean
all: $(PROGRAMS)

help:
	@sed -n '2,/^$$/s/^# \{0,3\}//p' Makefile

# Installed once a checkout; the list of packages is what it depends on.
build/.packages-%: hack/install-packages
	@hack/install-packages $*
	@mkdir -p build && touch $@

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h &: csi/proto/%.proto | build/.packages-build
	@mkdir -p $(@D)
	$(say) PROTOC $<
	$(Q)protoc-c -I/usr/include -Icsi/proto --c_out=$(BUILD)/proto $<

# protobuf-c ships no code for the well-known types that csi.proto uses.
$(BUILD)/proto/google/protobuf/%.pb-c.c $(BUILD)/proto/google/protobuf/%.pb-c.h &: \
		| build/.packages-build
	@mkdir -p $(@D)
	$(Q)protoc-c -I/usr/include --c_out=$(BUILD)/proto google/protobuf/$*.proto

# Generated code is not ours to warn about.
$(BUILD)/proto/%.o: WARNINGS =
$(BUILD)/proto/%.o: $(BUILD)/proto/%.c | $(PROTO_SRC)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c | $(PROTO_SRC) build/.packages-build
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# A page is embedded as it is: _binary_..._html_start and _end.
$(BUILD)/%.html.o: %.html | build/.packages-build
	@mkdir -p $(@D)
	$(say) EMBED $<
	$(Q)$(LD) -r -b binary -z noexecstack -o $@ $<
	$(Q)objcopy --rename-section .data=.rodata,alloc,load,readonly,data,contents $@

$(BUILD)/ordinal-provisioner: $(call objects,provisioner) $(SHARED)
$(BUILD)/ordinal-csi: $(call objects,csi) $(SHARED)
# Of the other programs they get what they use: as an archive, the rest stays out, and gRPC with it.
$(BUILD)/ordinal-csi-helper: $(call objects,csi/helper) $(BUILD)/csi.a
$(BUILD)/kubectl-ordinal: $(call objects,provisioner/kubectl) $(BUILD)/provisioner.a
$(BUILD)/csi.a: $(filter-out %/main.o,$(call objects,csi)) $(SHARED)
$(BUILD)/provisioner.a: $(filter-out %/main.o,$(call objects,provisioner)) $(SHARED)
$(BUILD)/%.a:
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(BUILD)/csi/helper/%.o: CPPFLAGS += -Icsi
$(BUILD)/provisioner/kubectl/%.o: CPPFLAGS += -Iprovisioner
$(PROGRAMS):
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# A test links its module's whole program but main, and tests/PROGRAM/support/ where it has helpers.
$(BUILD)/tests/include/%_test: $(BUILD)/tests/include/%_test.o $(SHARED)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
define test_rule
$$(BUILD)/tests/$(1)/%_test: $$(BUILD)/tests/$(1)/%_test.o $$(call objects,tests/$(1)/support) \
		$$(filter-out %/main.o,$$(call objects,$(1))) $$(SHARED)
	$$(say) LD $$@
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(LIBS) -lcmocka
$$(BUILD)/tests/$(1)/%.o: CPPFLAGS += -I$(1) -Itests/$(1)/support
endef
$(eval $(call test_rule,provisioner))
$(eval $(call test_rule,csi))
$(BUILD)/tests/uml/%_test: $(BUILD)/tests/uml/%_test.o \
		$(call objects,tests/uml/support tests/csi/support) \
		$(filter-out %/main.o,$(call objects,csi)) $(SHARED)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
$(BUILD)/tests/uml/%.o: CPPFLAGS += -Icsi -Itests/uml/support -Itests/csi/support
# The provisioner is tested against a driver that is scripted, on the real driver's server.
SERVER := $(addprefix $(BUILD)/csi/,rpc_server.o unix_socket.o caller.o)
$(filter $(BUILD)/tests/provisioner/%,$(TESTS)): $(SERVER)
$(BUILD)/tests/provisioner/support/scripted_%.o: CPPFLAGS += -Icsi
KUBECTL_TESTS := $(filter $(BUILD)/tests/provisioner/kubectl/%,$(TESTS))
$(KUBECTL_TESTS): $(filter-out %/main.o,$(call objects,provisioner/kubectl))
$(KUBECTL_TESTS:%=%.o): CPPFLAGS += -Iprovisioner/kubectl
# The same as a program of its own, for tests that run the provisioner.
$(BUILD)/tests/provisioner/scripted_driver: $(BUILD)/tests/provisioner/scripted_driver.o \
		$(addprefix $(BUILD)/tests/provisioner/support/,scripted_driver.o scripted_methods.o \
		scripted_volumes.o message_text.o) $(SERVER) $(SHARED)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
# A cluster in memory, whose status page a browser is shown.
STATUS_SERVER := $(BUILD)/tests/provisioner/status_server
$(STATUS_SERVER): $(BUILD)/tests/provisioner/status_server.o $(call objects,tests/provisioner/support) \
		$(filter-out %/main.o,$(call objects,provisioner)) $(SERVER) $(SHARED)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
$(BUILD)/tests/provisioner/csi_client_failures_test: | $(BUILD)/tests/provisioner/scripted_driver
# These start the programs.
$(BUILD)/tests/csi/restart_test: | $(BUILD)/ordinal-csi $(BUILD)/ordinal-csi-helper
$(BUILD)/tests/provisioner/crash_test: | $(BUILD)/ordinal-provisioner
$(BUILD)/tests/provisioner/reclaim_table_test: | $(BUILD)/ordinal-csi
$(BUILD)/tests/provisioner/kubectl/program_test: | $(BUILD)/kubectl-ordinal
$(BUILD)/tests/%.o: | build/.packages-test

# Render the Helm chart, and compare objects; kubectl is installed only where there is none.
HELM_TOOLS := build/tests/deploy/helm_render build/tests/deploy/same_objects
build/tests/deploy/helm_render: $(wildcard tests/deploy/helm_render/*.go)
build/tests/deploy/same_objects: $(wildcard tests/deploy/same_objects/*.go)
$(HELM_TOOLS): | build/.packages-helm $(if $(shell command -v kubectl),,build/.packages-kubectl)
	$(say) GO $@
	$(Q)GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$(CURDIR)/build/go-cache \
		go build -o $@ ./tests/deploy/$(@F)

# Measure the programs that ship.
$(BUILD)/tests/bench/%.o: CPPFLAGS += -Itests/bench
$(BUILD)/tests/bench/nfs/%.o: CPPFLAGS += -Itests/bench/csi
$(BUILD)/tests/bench/provisioner/%.o: CPPFLAGS += -Iprovisioner
$(BUILD)/tests/bench/csi/csi_bench: $(call objects,tests/bench/csi tests/bench) $(SHARED)
$(BUILD)/tests/bench/nfs/nfs_bench: $(call objects,tests/bench) $(BUILD)/tests/bench/nfs/nfs_bench.o \
		$(addprefix $(BUILD)/tests/bench/csi/,bare.o csi_calls.o driver_process.o population.o) \
		$(SHARED)
$(BUILD)/tests/bench/provisioner/provisioner_bench: \
		$(call objects,tests/bench/provisioner tests/bench) \
		$(filter-out %/main.o,$(call objects,provisioner)) $(SHARED)
$(addprefix $(BUILD)/tests/bench/,csi/csi_bench nfs/nfs_bench provisioner/provisioner_bench):
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

bench-csi: $(BUILD)/ordinal-csi $(BUILD)/tests/bench/csi/csi_bench
	@$(BUILD)/tests/bench/csi/csi_bench --driver=$< $(if $(BENCH_DIR),--dir="$(BENCH_DIR)") \
		$(BENCH_FLAGS)

bench-nfs: build/ordinal-csi build/tests/bench/nfs/nfs_bench | build/ordinal-csi-helper build/.packages-uml
	@tests/bench/nfs/run $^ $(BENCH_FLAGS)

bench-provisioner: $(PROGRAMS) $(BUILD)/tests/bench/provisioner/provisioner_bench
	@tests/bench/provisioner/run $(BUILD) $(if $(BENCH_DIR),--dir="$(BENCH_DIR)") $(BENCH_FLAGS)

.PHONY: guest-tests
ifeq ($(SANITIZE),)
guest-tests: $(GUEST_TESTS) $(PROGRAMS)
else
guest-tests:
	+@$(MAKE) --no-print-directory SANITIZE= guest-tests
endif

test: build/.packages-test build/.packages-browser build/.packages-uml build/.packages-image \
		$(PROGRAMS) $(TESTS) $(STATUS_SERVER) $(HELM_TOOLS) guest-tests
	@tests/run $(BUILD) $(TESTS)

# Seeds that make test does not try.
SEED  ?= 100000
COUNT ?= 20000
soak: build/.packages-test $(BUILD)/tests/provisioner/property_test
	@$(BUILD)/tests/provisioner/property_test $(SEED) $(COUNT)

# The table that its test tries, to read.
.PHONY: tests/reclaim.md
tests/reclaim.md: $(BUILD)/tests/provisioner/reclaim_table_test
	@$< --print > $@

e2e: image $(BUILD)/tests/provisioner/scripted_driver
	@tests/e2e/run

demo: image
	@hack/demo

image: build/ordinal-image.tar
build/ordinal-image.tar: $(PROGRAMS) hack/image hack/image.d/ordinal.sh hack/image.d/debian/files.sh | build/.packages-image
	@hack/image ordinal -o $@

# kubectl asks a program kubectl_complete-NAME for what may follow "kubectl NAME".
install: $(PROGRAMS)
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS)
	ln -sf kubectl-ordinal $(DESTDIR)$(PREFIX)/bin/kubectl_complete-ordinal

format: build/.packages-lint build/.packages-helm
	$(Q)clang-format -i $(SOURCES)
	$(Q)gofmt -w $(GO_SOURCES)

tidy: build/.packages-lint build/.packages-helm $(PROTO_SRC)
	$(say) CHECK "format, cppcheck, shellcheck"
	$(Q)clang-format --dry-run -Werror $(SOURCES)
	$(Q)! gofmt -d $(GO_SOURCES) | grep .
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
		--std=c11 -D_GNU_SOURCE -Iinclude -Itests/provisioner/support \
		$(filter %.c,$(SOURCES))
	$(Q)shellcheck -x $(SCRIPTS)

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
