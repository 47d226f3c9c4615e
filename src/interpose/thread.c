/*
 * Threads. A new thread begins in src/capture/host_threads.c, which goes on with the host's
 * function; that it ends is learned by a pthread key, so that pthread_exit and cancellation need no
 * hook.
 */
#include <pthread.h>
#include <threads.h>
#include <time.h>

#include "base/compiler.h"
#include "capture/host_threads.h"
#include "interpose/hooks.h"
#include "system/real.h"

LS_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                             void *(*start)(void *), void *argument);
LS_EXPORT int pthread_join(pthread_t thread, void **result);
LS_EXPORT int pthread_tryjoin_np(pthread_t thread, void **result);
LS_EXPORT int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *until);
LS_EXPORT int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
                                   const struct timespec *until);
LS_EXPORT int pthread_detach(pthread_t thread);
LS_EXPORT int pthread_cancel(pthread_t thread);
LS_EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *argument);
LS_EXPORT int thrd_join(thrd_t thread, int *result);
LS_EXPORT int thrd_detach(thrd_t thread);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    ls_host_thread record = ls_host_thread_prepare(attributes, (void (*)(void))start, argument);
    int status;

    if (record == 0)
        return LS_REAL(pthread_create)(thread, attributes, start, argument);
    status = LS_REAL(pthread_create)(thread, attributes, ls_host_thread_begin,
                                     ls_host_thread_record(record));
    if (status == 0)
        ls_host_thread_created(record, *thread);
    else
        ls_host_thread_dismiss(record);
    return status;
}

int thrd_create(thrd_t *thread, thrd_start_t start, void *argument)
{
    ls_host_thread record = ls_host_thread_prepare(NULL, (void (*)(void))start, argument);
    int status;

    if (record == 0)
        return LS_REAL(thrd_create)(thread, start, argument);
    status = LS_REAL(thrd_create)(thread, ls_host_thread_begin_int, ls_host_thread_record(record));
    if (status == thrd_success)
        ls_host_thread_created(record, *thread);
    else
        ls_host_thread_dismiss(record);
    return status;
}

int pthread_join(pthread_t thread, void **result)
{
    ls_host_thread record = ls_host_thread_joining(thread);
    int status = LS_REAL(pthread_join)(thread, result);

    ls_host_thread_joined(record, status == 0);
    return status;
}

int pthread_tryjoin_np(pthread_t thread, void **result)
{
    ls_host_thread record = ls_host_thread_joining(thread);
    int status = LS_REAL(pthread_tryjoin_np)(thread, result);

    ls_host_thread_joined(record, status == 0);
    return status;
}

int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *until)
{
    ls_host_thread record = ls_host_thread_joining(thread);
    int status = LS_REAL(pthread_timedjoin_np)(thread, result, until);

    ls_host_thread_joined(record, status == 0);
    return status;
}

int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
                         const struct timespec *until)
{
    ls_host_thread record = ls_host_thread_joining(thread);
    int status = LS_REAL(pthread_clockjoin_np)(thread, result, clock, until);

    ls_host_thread_joined(record, status == 0);
    return status;
}

int thrd_join(thrd_t thread, int *result)
{
    ls_host_thread record = ls_host_thread_joining(thread);
    int status = LS_REAL(thrd_join)(thread, result);

    ls_host_thread_joined(record, status == thrd_success);
    return status;
}

/* The mark is set before the real call, after which the handle may be another thread's. A detach
 * that fails was one of a thread that is detached or gone. */
int pthread_detach(pthread_t thread)
{
    ls_host_thread_detached(thread);
    return LS_REAL(pthread_detach)(thread);
}

int thrd_detach(thrd_t thread)
{
    ls_host_thread_detached(thread);
    return LS_REAL(thrd_detach)(thread);
}

int pthread_cancel(pthread_t thread)
{
    ls_host_thread_cancelled(thread);
    return LS_REAL(pthread_cancel)(thread);
}
