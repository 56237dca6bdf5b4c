# shellcheck shell=bash disable=SC2034 # read by hack/image
# SPDX-License-Identifier: Apache-2.0
# What holds a pod's namespaces: it sleeps, reaps orphans, and ends when asked to.

image_name=ordinal.dev/pause:lab
image_config='{"Entrypoint": ["/pause"], "User": "65532:65532"}'

image_fill() {
  gcc -Os -static -s -x c -o "$1/pause" - <<'END'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal_number) {
    (void)signal_number;
    _exit(0);
}

static void reap(int signal_number) {
    (void)signal_number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

int main(void) {
    signal(SIGINT, end);
    signal(SIGTERM, end);
    signal(SIGCHLD, reap);
    for (;;) {
        pause();
    }
}
END
}
