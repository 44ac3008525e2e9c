#include "exceptions.h"

const struct test_case *now_running;
u8 same_stack[8192] __attribute__((aligned(64))), level0_stack[8192] __attribute__((aligned(64)));
u8 ist_stack[8192] __attribute__((aligned(64))), user_stack[8192] __attribute__((aligned(64)));
static struct record seen;
static uptr seen_at, seen_cr2, seen_dr6;

void __attribute__((used)) trap(struct record *record)
{
    seen = *record;
    seen_at = (uptr)record;
    seen_cr2 = read_cr2();
    __asm__ volatile("mov %%dr6, %0" : "=r"(seen_dr6));
}

static uptr stack_of(uptr address)
{
    if (address - (uptr)same_stack < sizeof same_stack) return STACK_SAME;
    if (address - (uptr)level0_stack < sizeof level0_stack) return STACK_LEVEL0;
    if (address - (uptr)ist_stack < sizeof ist_stack) return STACK_IST;
    return ANY;
}

static const char *const stack_names[] = { "", "same", "level0", "ist" };
static void put_stack(uptr stack) { put("%s", stack <= STACK_IST ? stack_names[stack] : "other"); }

// Section 18.3.1.1 of Vol. 3B: a fault pushes RF = 1, everything else what it was.
static int pushes_rf(const struct test_case *test) { return test->distance == 0 && test->vector != COMPLETED && test->vector != 1 && test->vector != 8; }

static u32 wrong_rf;

static int run(const struct test_case *test, void (*reset)(void))
{
    reset();
    now_running = test;
    if (test->prepare && !test->prepare()) {
        put("%s skipped\n", test->name);
        return 1;
    }
    run_case(test->start, test->level, test->flags);
    reset();

    int level = (int)(seen.cs & 3);
    uptr stack = stack_of(seen_at), should_be_on = test->stack ? test->stack : test->level ? STACK_LEVEL0 : STACK_SAME;
    sptr distance = (sptr)(seen.ip - (uptr)test->at);
    int on_user = stack == (uptr)ANY && test->stack == (uptr)ANY;
    put("%s -> %u", test->name, (u32)seen.vector);
    int right = seen.vector == test->vector;
    if (test->error != (uptr)ANY) {
        put("(%x)", (u32)seen.error);
        right &= seen.error == test->error;
    }
    if (test->distance != ANY) {
        put(" ip %d", (int)distance);
        right &= distance == test->distance;
    }
    if (seen.vector == 14 || test->vector == 14) {
        put(" cr2 %X", (u64)seen_cr2);
        right &= seen_cr2 == test->cr2;
    }
    if (seen.vector == 1 || test->vector == 1) {
        put(" dr6 %x", (u32)seen_dr6 & DR6_BITS);
        right &= (seen_dr6 & DR6_BITS) == test->cr2;
    }
    if (test->count != (uptr)ANY) {
        put(" count %X", (u64)seen.cx);
        right &= seen.cx == test->count;
    }
    if (test->value != (uptr)ANY) {
        put(" value %X", (u64)seen.ax);
        right &= seen.ax == test->value;
    }
    put(" cs %x flags %x stack ", (u32)seen.cs, (u32)seen.flags & SYSTEM_FLAGS);
    put_stack(stack);
    right &= stack == should_be_on || on_user;
    // The handler's own state: an interrupt gate clears IF, and TF, NT and RF are clear.
    put(" inside flags %x", (u32)seen.flags_inside & (SYSTEM_FLAGS | FLAG_RF));
    right &= !(seen.flags_inside & (FLAG_TF | FLAG_IF | FLAG_NT | FLAG_RF));
    if (sizeof(void *) == 8) {
        // SS becomes null where the level changes, and only there (Vol. 3A section 6.14.4), not with IST at the same level.
        u32 ss = level ? 0 : KERNEL_DATA;
        put(" ss %x aligned %u", (u32)seen.ss_inside, ((uptr)seen_at + sizeof seen) % 16 == 0);
        right &= ((uptr)seen_at + sizeof seen) % 16 == 0 && seen.ss_inside == ss;
    }
    int rf = (seen.flags & FLAG_RF) != 0, rf_right = test->distance == ANY || rf == pushes_rf(test);
    put(" | rf %u", rf);
    if (test->error == (uptr)ANY) put(" error %x", (u32)seen.error);
    put("\n");
    wrong_rf += right && !rf_right;
    if (!right) {
        put("| wrong %s:", test->name);
        put(" should be %u(%x)", (u32)test->vector, (u32)test->error);
        if (test->distance != ANY) put(" ip %d", (int)test->distance);
        if (test->vector == 1) put(" dr6 %x", (u32)test->cr2);
        if (test->count != (uptr)ANY) put(" count %X", (u64)test->count);
        if (test->vector == 14) put(" cr2 %X", (u64)test->cr2);
        if (test->value != (uptr)ANY) put(" value %X", (u64)test->value);
        put(" stack ");
        put_stack(should_be_on);
        put("\n");
    }
    return right;
}

void run_cases(const char *image, void (*reset)(void))
{
    u32 cases = 0, wrong = 0;
    put("%s\n", image);
    for (const struct test_case *test = cases_begin; test < cases_end; test++) {
        if (!option_lists("test", test->name) || (option("without") && option_lists("without", test->name))) continue;
        cases++;
        wrong += !run(test, reset);
    }
    put("| total cases %u wrong %u wrong-rf %u\n", cases, wrong, wrong_rf);
    finish(wrong + wrong_rf ? EXIT_WRONG : EXIT_RIGHT);
}
