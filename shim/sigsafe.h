/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigsafe.h - included last by every file that holds HANDLER code. It makes calls that are not
 * async-signal-safe compile errors; scripts/check-sigsafe checks the objects as well, since calls
 * through other headers' inline functions would slip by here. Handler code reports by counters.
 */
#ifndef SPANPROF_SHIM_SIGSAFE_H
#define SPANPROF_SHIM_SIGSAFE_H

#pragma GCC poison malloc calloc realloc free strdup strndup asprintf
#pragma GCC poison printf fprintf dprintf snprintf vsnprintf sprintf syslog perror strerror
#pragma GCC poison dlopen dlsym dlclose dladdr dl_iterate_phdr getenv setenv
#pragma GCC poison pthread_mutex_lock pthread_mutex_trylock pthread_once pthread_getspecific
#pragma GCC poison fopen fclose fread fwrite opendir readdir exit abort assert
#pragma GCC poison errno

#endif
