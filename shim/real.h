/* SPDX-License-Identifier: Apache-2.0 */
/*
 * real.h - the next definitions of what we interpose. Resolved all at once, in the constructor or at
 * the first wrapper called before it, so that no wrapper ever calls dlsym on a host's hot path.
 * Context: APP and BOOT; handler code never goes through here.
 */
#ifndef SPANPROF_SHIM_REAL_H
#define SPANPROF_SHIM_REAL_H

#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * X(result, name, parameters): each becomes real.name. All of them are in glibc 2.36. Where the C
 * library has several versions, dlsym gives the default one, which is what programs were linked with
 * in this century.
 */
#define REAL_SYMBOLS(X)                                                                              \
	X(int, accept, (int, struct sockaddr *, socklen_t *))                                        \
	X(int, accept4, (int, struct sockaddr *, socklen_t *, int))                                  \
	X(int, socket, (int, int, int))                                                              \
	X(int, socketpair, (int, int, int, int *))                                                   \
	X(int, connect, (int, const struct sockaddr *, socklen_t))                                   \
	X(int, pipe, (int *))                                                                        \
	X(int, pipe2, (int *, int))                                                                  \
	X(int, eventfd, (unsigned, int))                                                             \
	X(int, dup, (int))                                                                           \
	X(int, dup2, (int, int))                                                                     \
	X(int, dup3, (int, int, int))                                                                \
	X(int, close, (int))                                                                         \
	X(int, close_range, (unsigned, unsigned, int))                                               \
	X(void, closefrom, (int))                                                                    \
	X(ssize_t, read, (int, void *, size_t))                                                      \
	X(ssize_t, __read_chk, (int, void *, size_t, size_t))                                        \
	X(ssize_t, readv, (int, const struct iovec *, int))                                          \
	X(ssize_t, recv, (int, void *, size_t, int))                                                 \
	X(ssize_t, __recv_chk, (int, void *, size_t, size_t, int))                                   \
	X(ssize_t, recvfrom, (int, void *, size_t, int, struct sockaddr *, socklen_t *))             \
	X(ssize_t, __recvfrom_chk, (int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *)) \
	X(ssize_t, recvmsg, (int, struct msghdr *, int))                                             \
	X(int, recvmmsg, (int, struct mmsghdr *, unsigned, int, struct timespec *))                  \
	X(ssize_t, splice, (int, off64_t *, int, off64_t *, size_t, unsigned))                       \
	X(int, sendmmsg, (int, struct mmsghdr *, unsigned, int))                                     \
	X(ssize_t, write, (int, const void *, size_t))                                               \
	X(ssize_t, writev, (int, const struct iovec *, int))                                         \
	X(ssize_t, send, (int, const void *, size_t, int))                                           \
	X(ssize_t, sendto, (int, const void *, size_t, int, const struct sockaddr *, socklen_t))     \
	X(ssize_t, sendmsg, (int, const struct msghdr *, int))                                       \
	X(ssize_t, sendfile, (int, int, off_t *, size_t))                                            \
	X(ssize_t, sendfile64, (int, int, off64_t *, size_t))                                        \
	X(int, epoll_wait, (int, struct epoll_event *, int, int))                                    \
	X(int, epoll_pwait, (int, struct epoll_event *, int, int, const sigset_t *))                 \
	X(int, poll, (struct pollfd *, nfds_t, int))                                                 \
	X(int, __poll_chk, (struct pollfd *, nfds_t, int, size_t))                                   \
	X(int, ppoll, (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *))          \
	X(int, __ppoll_chk,                                                                          \
	  (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t))              \
	X(int, select, (int, fd_set *, fd_set *, fd_set *, struct timeval *))                        \
	X(int, pselect,                                                                              \
	  (int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *))            \
	X(int, pthread_create,                                                                       \
	  (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))                          \
	X(int, pthread_cond_wait, (pthread_cond_t *, pthread_mutex_t *))                             \
	X(int, pthread_cond_signal, (pthread_cond_t *))                                              \
	X(int, pthread_cond_broadcast, (pthread_cond_t *))                                           \
	X(int, sem_wait, (sem_t *))                                                                  \
	X(int, sem_post, (sem_t *))                                                                  \
	X(int, pthread_sigmask, (int, const sigset_t *, sigset_t *))                                 \
	X(int, sigprocmask, (int, const sigset_t *, sigset_t *))                                     \
	X(int, sigaction, (int, const struct sigaction *, struct sigaction *))                       \
	X(sighandler_t, signal, (int, sighandler_t))                                                 \
	X(int, sigaltstack, (const stack_t *, stack_t *))                                            \
	X(int, sigwait, (const sigset_t *, int *))                                                   \
	X(int, sigwaitinfo, (const sigset_t *, siginfo_t *))                                         \
	X(int, sigtimedwait, (const sigset_t *, siginfo_t *, const struct timespec *))               \
	X(int, signalfd, (int, const sigset_t *, int))                                               \
	X(int, setitimer, (int, const struct itimerval *, struct itimerval *))                       \
	X(int, dlclose, (void *))                                                                    \
	X(int, dl_iterate_phdr,                                                                      \
	  (int (*)(struct dl_phdr_info *, size_t, void *), void *))                                  \
	X(int, unshare, (int))                                                                       \
	X(int, setns, (int, int))                                                                    \
	X(int, chroot, (const char *))                                                               \
	X(int, prctl, (int, unsigned long, unsigned long, unsigned long, unsigned long))             \
	X(int, execve, (const char *, char *const *, char *const *))                                 \
	X(int, execvpe, (const char *, char *const *, char *const *))                                \
	X(int, fexecve, (int, char *const *, char *const *))                                         \
	X(int, execveat, (int, const char *, char *const *, char *const *, int))                     \
	X(int, posix_spawn,                                                                          \
	  (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,     \
	   char *const *, char *const *))                                                            \
	X(int, posix_spawnp,                                                                         \
	  (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,     \
	   char *const *, char *const *))                                                            \
	X(int, system, (const char *))                                                               \
	X(FILE *, popen, (const char *, const char *))                                               \
	X(int, vdprintf, (int, const char *, va_list))                                               \
	X(int, __vdprintf_chk, (int, int, const char *, va_list))                                    \
	X(long, syscall, (long, long, long, long, long, long, long))

struct real {
#define X(result, name, parameters) result(*name) parameters;
	REAL_SYMBOLS(X)
#undef X
};

extern struct real real_symbols;

/* Resolve all; idempotent, and cheap once done. Safe before our constructor: libc's have run. */
void real_resolve(void);

/* The wrappers' way to the real function. */
#define REAL(name) (__builtin_expect(!real_symbols.name, 0) ? real_resolve() : (void)0, real_symbols.name)

#endif
