// SPDX-License-Identifier: Apache-2.0
/*
 * Switching stacks. The machine part saves what the C calling convention says
 * a callee must keep, on the old stack, and takes it from the new one: a few
 * instructions on x86-64 and AArch64, ucontext elsewhere. Around it the
 * sanitizers are told which stack runs.
 */
#include "io/loop_int.h"
#include <stdint.h>
#include "base/assert.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define HAVE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN 1
#endif
#endif
#ifdef HAVE_ASAN
void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake, const void **old_bottom, size_t *old_size);
#endif
#ifdef HAVE_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *f);
void __tsan_switch_to_fiber(void *f, unsigned flags);
#define NO_TSAN __attribute__((no_sanitize_thread))
#else
#define NO_TSAN
#endif

#if defined(__x86_64__)

void fiber_jump(void **save_sp, void *to_sp);
__asm__(
	".text\n"
	".p2align 4\n"
	".globl fiber_jump\n"
	".hidden fiber_jump\n"
	".type fiber_jump, @function\n"
	"fiber_jump:\n"
	"	endbr64\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	subq $8, %rsp\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 4(%rsp)\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	ldmxcsr (%rsp)\n"
	"	fldcw 4(%rsp)\n"
	"	addq $8, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size fiber_jump, . - fiber_jump\n");

static void *first_frame(char *top, void (*entry)(void))
{
	uint64_t *sp = (uint64_t *)((uintptr_t)top & ~(uintptr_t)15);

	*--sp = 0;                              /* a return address for unwinders to stop at */
	*--sp = 0;
	sp[0] = (uint64_t)(uintptr_t)entry;     /* at a multiple of 16: after ret the ABI's alignment holds */
	for (int i = 0; i < 6; i++)
		*--sp = 0;
	*--sp = 0x037fULL << 32 | 0x1f80;       /* x87 control word, MXCSR: the defaults */
	return sp;
}

#elif defined(__aarch64__)

void fiber_jump(void **save_sp, void *to_sp);
__asm__(
	".text\n"
	".p2align 4\n"
	".globl fiber_jump\n"
	".hidden fiber_jump\n"
	".type fiber_jump, %function\n"
	"fiber_jump:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp, #0]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x2, sp\n"
	"	str x2, [x0]\n"
	"	mov sp, x1\n"
	"	ldp x19, x20, [sp, #0]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	ret\n"
	".size fiber_jump, . - fiber_jump\n");

static void *first_frame(char *top, void (*entry)(void))
{
	uint64_t *sp = (uint64_t *)((uintptr_t)top & ~(uintptr_t)15) - 20;

	memset(sp, 0, 160);
	sp[11] = (uint64_t)(uintptr_t)entry;
	return sp;
}

#else

#include <ucontext.h>

/* The context lives at the top of its own stack; a stack pointer is a pointer to it. */
static void fiber_jump(void **save_sp, void *to_sp)
{
	ucontext_t here;

	*save_sp = &here;
	swapcontext(&here, to_sp);
}

static void *first_frame(char *top, void (*entry)(void))
{
	ucontext_t *u = (ucontext_t *)(((uintptr_t)top - sizeof *u) & ~(uintptr_t)63);

	getcontext(u);
	u->uc_stack.ss_sp = (char *)u - 32 * 1024;
	u->uc_stack.ss_size = 32 * 1024;
	u->uc_link = NULL;
	makecontext(u, entry, 0);
	return u;
}

#endif

void fiber_ctx_make(struct fiber_ctx *ctx, char *stack_bottom, size_t bytes, void (*entry)(void))
{
	*ctx = (struct fiber_ctx){ .stack_bottom = stack_bottom, .stack_bytes = bytes };
	ctx->sp = first_frame(stack_bottom + bytes, entry);
#ifdef HAVE_TSAN
	ctx->tsan = __tsan_create_fiber(0);
#endif
}

void fiber_ctx_main(struct fiber_ctx *ctx)
{
#ifdef HAVE_TSAN
	ctx->tsan = __tsan_get_current_fiber();
#endif
}

void fiber_ctx_release(struct fiber_ctx *ctx)
{
#ifdef HAVE_TSAN
	__tsan_destroy_fiber(ctx->tsan);
#endif
}

void fiber_ctx_entered(struct fiber_ctx *from)
{
#ifdef HAVE_ASAN
	__sanitizer_finish_switch_fiber(NULL, &from->stack_bottom, &from->stack_bytes);
#endif
}

NO_TSAN void fiber_switch(struct fiber_ctx *from, struct fiber_ctx *to, bool from_dies)
{
#ifdef HAVE_ASAN
	__sanitizer_start_switch_fiber(from_dies ? NULL : &from->asan_fake, to->stack_bottom, to->stack_bytes);
#endif
#ifdef HAVE_TSAN
	if (!from->tsan)
		from->tsan = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	fiber_jump(&from->sp, to->sp);
#ifdef HAVE_ASAN
	__sanitizer_finish_switch_fiber(from->asan_fake, NULL, NULL);
#endif
}
