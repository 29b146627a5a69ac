// SPDX-License-Identifier: Apache-2.0
//
// Preloaded into the bridge by tests/fault: its wall clock is the real one plus the nanoseconds in the file
// FAULT_CLOCK, so that a schedule can step it without touching the machine's. The monotonic clock is real. A
// wait until a time of the wall clock ends as the kernel would end it: a step forward ends it at once, a step
// back prolongs it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define SLICE (SECOND / 20)

/* glibc's mark of a condition that waits by CLOCK_MONOTONIC (nptl/pthread_cond_common.c). */
#define COND_MONOTONIC 2u

static _Atomic int64_t *offset;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

__attribute__((constructor)) static void begin(void)
{
    static _Atomic int64_t none;
    *(void **)&real_clock_gettime = next("clock_gettime");
    /* ThreadSanitizer's, if it is there: it has to see that the mutex is let go. */
    *(void **)&real_timedwait = dlsym(RTLD_DEFAULT, "__interceptor_pthread_cond_timedwait");
    /* By its version: there is an older one whose conditions are something else. */
    if (real_timedwait == NULL)
        *(void **)&real_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (real_timedwait == NULL)
        *(void **)&real_timedwait = next("pthread_cond_timedwait");
    const char *path = getenv("FAULT_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = fd >= 0 ? mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    offset = page != MAP_FAILED ? page : &none;
    if (fd >= 0)
        close(fd);
}

static int64_t to_ns(const struct timespec *ts)
{
    return ts->tv_sec * SECOND + ts->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (real_clock_gettime == NULL)
        begin(); /* another library's constructor asks before ours has run */
    int result = real_clock_gettime(id, ts);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        *ts = from_ns(to_ns(ts) + atomic_load(offset));
    return result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    *tv = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out != NULL)
        *out = ts.tv_sec;
    return ts.tv_sec;
}

int timespec_get(struct timespec *ts, int base)
{
    return clock_gettime(CLOCK_REALTIME, ts) == 0 ? base : 0;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    if (real_timedwait == NULL)
        begin();
    if ((cond->__data.__wrefs & COND_MONOTONIC) != 0)
        return real_timedwait(cond, mutex, until);
    for (;;) {
        struct timespec now;
        real_clock_gettime(CLOCK_REALTIME, &now);
        int64_t end = to_ns(until) - atomic_load(offset), slice = to_ns(&now) + SLICE;
        struct timespec wait = from_ns(end < slice ? end : slice);
        if (wait.tv_sec < 0 || wait.tv_nsec < 0)
            wait = (struct timespec){0};
        int result = real_timedwait(cond, mutex, &wait);
        if (result != ETIMEDOUT || end <= slice)
            return result;
    }
}

/* librdkafka's. The C library's two kinds of conditions are one. */
int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    int result = pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}
