// One case: a piece of code, the instruction that should trap, and what the manual says should be seen by the handler.
#pragma once
#include "lib.h"

struct record;
struct test_case {
    const char *name;
    const u8 *start, *at;      // `distance` is the saved instruction pointer's, from `at`
    uptr level, flags, vector, error, cr2, value, count, stack; // cr2: of #DB the bits of DR6
    sptr distance;
    int (*prepare)(void);      // false: this processor cannot run the case
};
enum { COMPLETED = 0x81, ANY = -1 }; // vector of a case that comes to its end; a value that is not looked at
enum { STACK_BY_LEVEL, STACK_SAME, STACK_LEVEL0, STACK_IST };

// What the handler found. `flags_inside` and `ss_inside` are the handler's own.
struct record {
#ifdef __x86_64__
    u64 flags_inside, ss_inside, r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, bx, dx, cx, ax;
#else
    u32 flags_inside, ss_inside, di, si, bp, sp_unused, bx, dx, cx, ax;
#endif
    uptr vector, error, ip, cs, flags, sp, ss;
};
enum { FLAG_TF = 0x100, FLAG_IF = 0x200, FLAG_IOPL = 0x3000, FLAG_NT = 0x4000, FLAG_RF = 0x10000, FLAG_AC = 0x40000 };
#define DR6_BITS 0xE00Fu
#define SYSTEM_FLAGS (FLAG_TF | FLAG_IF | FLAG_IOPL | FLAG_NT | FLAG_AC)

extern const struct test_case cases_begin[], cases_end[];
extern const struct test_case *now_running;
void run_cases(const char *image, void (*reset)(void));
void run_case(const void *start, uptr level, uptr flags); // comes back when the case has trapped
extern u8 trap_entries[];  // 256 of 16 bytes
extern u8 same_stack[8192], level0_stack[8192], ist_stack[8192], user_stack[8192];
