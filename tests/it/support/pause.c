/* Makes the moment between the last look at a grant and the record of an answer a long one. Loaded
 * into the gateway by LD_PRELOAD.
 *
 * While the file that $PAUSE names exists, 32 random bytes, such as the key of an answer's
 * commitment, are handed out 20 ms late. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long (*real)(long, ...);

__attribute__((constructor)) static void find(void) { real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"); }

long syscall(long number, ...) {
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    if (!real) find();
    if (number == SYS_getrandom && a[1] == 32) {
        const char *file = getenv("PAUSE");
        if (file && !access(file, F_OK)) usleep(20000);
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
