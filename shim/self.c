/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self.c - makes the page that says who this process is. BOOT; the page is then read everywhere.
 */
#include <stddef.h>
#include <sys/mman.h>

#include "shim/raw.h"
#include "shim/self.h"
#include "shim/sigsafe.h"

#define SELF_PAGE_SIZE 4096U

struct self *self_page;

int self_init(void)
{
	long page = raw6(SYS_mmap, NULL, SELF_PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long error;

	if (page < 0 && page > -4096)
		return (int)page;
	error = raw3(SYS_madvise, page, SELF_PAGE_SIZE, MADV_WIPEONFORK);
	if (error) {
		raw2(SYS_munmap, page, SELF_PAGE_SIZE);
		return (int)error;
	}
	self_page = (struct self *)page;
	self_page->pid = (int32_t)raw0(SYS_getpid);
	atomic_store_explicit(&self_page->state, SELF_IDLE, memory_order_release);
	return 0;
}
