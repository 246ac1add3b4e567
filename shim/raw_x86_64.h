/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw_x86_64.h - the two instructions that raw.h needs, for x86-64 (System V psABI, appendix A.2.1).
 * Context: any.
 */
#ifndef SPANPROF_SHIM_RAW_X86_64_H
#define SPANPROF_SHIM_RAW_X86_64_H

static inline long raw_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/*
 * clone() a child that runs entry(arg) on a stack of its own and ends with entry's value as its exit
 * code; it never returns into the caller's frames. top must be a multiple of 16.
 */
static inline long raw_clone(unsigned long flags, void *top, int (*entry)(void *), void *arg)
{
	long result;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	register int (*r12)(void *) __asm__("r12") = entry;
	register void *r13 __asm__("r13") = arg;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(result)
			 : "0"((long)__NR_clone), "D"(flags), "S"(top), "d"(0L), "r"(r10), "r"(r8),
			   "r"(r12), "r"(r13), [exit] "i"(__NR_exit)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
