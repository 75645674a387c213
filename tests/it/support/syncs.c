/* Watches a process sync its files, and fails it on demand. Loaded into the gateway by LD_PRELOAD.
 *
 * Each sync appends the file's name as a line to $SYNCS_LOG. While $SYNCS_FAIL exists, each sync
 * fails as a broken disk fails it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int sync_of(const char *call, int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    const char *log = getenv("SYNCS_LOG"), *fail = getenv("SYNCS_FAIL");
    if (length < 0 || !log || !fail) abort();
    if (access(fail, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
    int done = real(fd);
    if (done == 0) {
        name[length++] = '\n';
        int out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (out < 0 || write(out, name, length) != length) abort();
        close(out);
    }
    return done;
}

int fsync(int fd) { return sync_of("fsync", fd); }
int fdatasync(int fd) { return sync_of("fdatasync", fd); }
