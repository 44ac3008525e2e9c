// Microbenchmarks that are measured from outside: `test=NAME count=N`. Time two counts and divide the difference; what
// start-up costs drops out. The checksum at the end says that the work was done.
#include "lib.h"

enum { PAGES = 64, ELEMENTS = 1000000 };
#define TEST_ADDRESS 0x10000000000ull // PML4 slot 2

static u64 pdpt[512] PAGE_ALIGNED, directory[512] PAGE_ALIGNED, table[512] PAGE_ALIGNED;
static u8 pages[2 * PAGES][4096] PAGE_ALIGNED;
static u32 elements[ELEMENTS];
volatile u64 faults;

// The fault's handler steps over the two-byte load.
__asm__(
    ".text\nstep_over:\n"
    "add $8, %rsp\n"
    "addq $2, (%rsp)\n"
    "incq faults\n"
    "iretq\n");
extern u8 step_over[];

static inline u64 touch(u64 address)
{
    u64 value;
    __asm__ volatile("mov (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static u64 run_fault(u64 count)
{
    faults = 0;
    for (u64 i = 0; i < count; i++) __asm__ volatile("movb (%0), %%al" ::"d"(TEST_ADDRESS + 4096 * 2 * PAGES) : "rax", "memory");
    return faults;
}

static u64 run_cr3(u64 count)
{
    u64 sum = 0, cr3 = read_cr3();
    for (u64 i = 0; i < count; i++) {
        write_cr3(cr3);
        for (u32 page = 0; page < PAGES; page++) sum += touch(TEST_ADDRESS + 4096 * page);
    }
    return sum;
}

static u64 run_invlpg(u64 count)
{
    u64 sum = 0;
    for (u64 i = 0; i < count; i++) {
        u64 address = TEST_ADDRESS + 4096 * (i % PAGES);
        invlpg(address);
        sum += touch(address);
    }
    return sum;
}

// The page table's entry goes back and forth between two frames.
static u64 run_pte(u64 count)
{
    u64 sum = 0;
    for (u64 i = 0; i < count; i++) {
        u64 page = i % PAGES;
        *(volatile u64 *)&table[page] = (u64)pages[page + (i / PAGES & 1) * PAGES] | 3;
        invlpg(TEST_ADDRESS + 4096 * page);
        sum += touch(TEST_ADDRESS + 4096 * page);
    }
    return sum;
}

static void sort(u32 *low, u32 *high)
{
    while (low < high) {
        u32 pivot = low[(high - low) / 2], *i = low, *j = high;
        while (i <= j) {
            while (*i < pivot) i++;
            while (*j > pivot) j--;
            if (i <= j) {
                u32 swap = *i;
                *i++ = *j;
                *j-- = swap;
            }
        }
        // The smaller part by recursion: the stack stays shallow.
        if (j - low < high - i) {
            sort(low, j);
            low = i;
        } else {
            sort(i, high);
            high = j;
        }
    }
}

static u64 run_quicksort(u64 count)
{
    u64 sum = 0;
    for (u64 i = 0; i < count; i++) {
        u32 state = 12345;
        for (u32 k = 0; k < ELEMENTS; k++) elements[k] = state = state * 1664525 + 1013904223;
        sort(elements, elements + ELEMENTS - 1);
        for (u32 k = 0; k < ELEMENTS; k++) {
            if (k && elements[k - 1] > elements[k]) put("not sorted at %u\n", k);
            sum = sum * 31 + elements[k];
        }
    }
    return sum;
}

static u64 run_nothing(u64 count) { return count; }

static const struct { const char *name; u64 (*run)(u64); u32 count; } tests[] = {
    { "nothing", run_nothing, 1 }, { "fault", run_fault, 100000 }, { "cr3", run_cr3, 10000 }, { "invlpg", run_invlpg, 100000 },
    { "pte", run_pte, 100000 }, { "quicksort", run_quicksort, 1 },
};

void image_main(void)
{
    load_tables();
    set_gate(14, step_over, 0);
    for (u32 page = 0; page < 2 * PAGES; page++) {
        *(u64 *)pages[page] = page + 1;
        table[page] = (u64)pages[page] | 3;
    }
    directory[0] = (u64)table | 3;
    pdpt[0] = (u64)directory | 3;
    ((u64 *)read_cr3())[2] = (u64)pdpt | 3;

    u32 ran = 0;
    for (u32 i = 0; i < COUNT(tests); i++)
        if (option_lists("test", tests[i].name)) {
            u64 count = option_number("count", tests[i].count), checksum = tests[i].run(count);
            put("%s count %U checksum %016X\n", tests[i].name, count, checksum);
            ran++;
        }
    finish(ran ? EXIT_RIGHT : EXIT_WRONG);
}
