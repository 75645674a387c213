/* Lets the disk fail under a process. Loaded into the gateway by LD_PRELOAD.
 *
 * $FAULTS names a file of one line, `ROUND KIND STEP EVERY`; without it, or empty, nothing fails.
 * Counted from when ROUND changes, the call number STEP on a file of the audit log fails, and if
 * EVERY is not 0 each call with a chance of one in EVERY. KIND: `eio` and `enospc` do nothing and
 * fail; `torn` does half of a write and then fails; `late` does all of it and then fails. Each
 * failure is a line in $FAULTS.hits. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { NONE, EIO_, ENOSPC_, TORN, LATE };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long round_now = -1, calls;
static unsigned int seed = 0x5eed;

/* Is this a file of the audit log, and is this call to fail? */
static enum kind fate(const char *call, int fd) {
    char link[64], name[4096], plan[128] = "", kind[16];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    const char *file = getenv("FAULTS");
    if (length < 0 || !file) return NONE;
    name[length] = 0;
    if (!strstr(name, "/audit.db")) return NONE;
    int in = open(file, O_RDONLY | O_CLOEXEC);
    if (in < 0) return NONE;
    ssize_t got = read(in, plan, sizeof plan - 1);
    close(in);
    long round, step, every;
    if (got <= 0 || sscanf(plan, "%ld %15s %ld %ld", &round, kind, &step, &every) != 4) return NONE;

    pthread_mutex_lock(&lock);
    if (round != round_now) {
        round_now = round;
        calls = 0;
    }
    int fails = ++calls == step || (every && rand_r(&seed) % every == 0);
    if (fails) {
        char hits[4096], line[4300];
        snprintf(hits, sizeof hits, "%s.hits", file);
        int size = snprintf(line, sizeof line, "%ld %s %s %s\n", round, kind, call, strrchr(name, '/') + 1);
        int out = open(hits, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        ssize_t (*put)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
        if (out < 0 || put(out, line, size) != size) abort();
        close(out);
    }
    pthread_mutex_unlock(&lock);
    if (!fails) return NONE;
    return !strcmp(kind, "enospc") ? ENOSPC_ : !strcmp(kind, "torn") ? TORN : !strcmp(kind, "late") ? LATE : EIO_;
}

static int fails_with(enum kind kind) {
    errno = kind == ENOSPC_ ? ENOSPC : EIO;
    return -1;
}

static int sync_of(const char *call, int fd) {
    enum kind kind = fate(call, fd);
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
    if (kind == NONE) return real(fd);
    if (kind == LATE) real(fd);
    return fails_with(kind);
}

int fsync(int fd) { return sync_of("fsync", fd); }
int fdatasync(int fd) { return sync_of("fdatasync", fd); }

static size_t part(enum kind kind, size_t size) { return kind == TORN ? size / 2 : size; }

ssize_t write(int fd, const void *bytes, size_t size) {
    enum kind kind = fate("write", fd);
    ssize_t (*real)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (kind == NONE) return real(fd, bytes, size);
    if (kind == TORN || kind == LATE) real(fd, bytes, part(kind, size));
    return fails_with(kind);
}

static ssize_t pwrite_of(const char *call, int fd, const void *bytes, size_t size, off_t at) {
    enum kind kind = fate("pwrite", fd);
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, call);
    if (kind == NONE) return real(fd, bytes, size, at);
    if (kind == TORN || kind == LATE) real(fd, bytes, part(kind, size), at);
    return fails_with(kind);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite_of("pwrite", fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    return pwrite_of("pwrite64", fd, bytes, size, at);
}

static int truncate_of(const char *call, int fd, off_t size) {
    enum kind kind = fate("ftruncate", fd);
    int (*real)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, call);
    if (kind == NONE) return real(fd, size);
    if (kind == LATE) real(fd, size);
    return fails_with(kind);
}

int ftruncate(int fd, off_t size) { return truncate_of("ftruncate", fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_of("ftruncate64", fd, size); }
