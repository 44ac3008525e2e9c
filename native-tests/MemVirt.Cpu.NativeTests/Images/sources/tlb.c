// What is guaranteed after an invalidation (Intel SDM Vol. 3A section 4.10), and when accessed and dirty flags are set
// (section 4.8). What a processor may do but need not, such as keep using what is stale, is never judged.
//
// Options: test=NAME,… rounds=N (operations of the random tests) seed=N
#include "lib.h"

#define REGION 0x10000000000ull // PML4 slot 2: the page table's 512 pages, then 2 MiB and 1 GiB pages
#define LARGE (REGION + 0x200000)
#define HUGE (REGION + 0x40000000)
#define USER_CODE_ADDRESS 0x8000000000ull // PML4 slot 1
#define RECURSIVE_SLOT 400ull

enum { P = 1, RW = 2, US = 4, ACCESSED = 0x20, DIRTY = 0x40, PS = 0x80, GLOBAL = 0x100 };
#define XD (1ull << 63)
enum { FRAMES = 16, FAULT = FRAMES, PAGES = 512, ROOTS = 4 };

struct root { u64 pml4[512], pdpt[512], directory[512], table[512], other_table[512]; };
static struct root roots[ROOTS] PAGE_ALIGNED;
static u64 user_pdpt[512] PAGE_ALIGNED, user_directory[512] PAGE_ALIGNED, user_table[512] PAGE_ALIGNED;
static u64 huge_directory[512] PAGE_ALIGNED;
static u8 frames[FRAMES][4096] PAGE_ALIGNED;
static struct root *now; // the one that CR3 holds
static u64 boot_low;

// ---- probes: an access that may fault

u64 probe_read(u64 address);
u64 probe_write(u64 address);
u64 probe_fetch(u64 address);
u64 probe_user_read(u64 address);
u64 probe_user_write(u64 address);
extern volatile u64 probe_error; // of the last probe: 0, or the error code | 0x100
extern u8 probe_fault[], probe_return[], probe_user[];
__asm__(
    ".text\n"
    "probe_read: call probe_begin\n mov (%rdi), %rax\n jmp probe_end\n"
    "probe_write: call probe_begin\n movb $0x77, 64(%rdi)\n xor %eax, %eax\n jmp probe_end\n"
    "probe_fetch: call probe_begin\n add $8, %rdi\n call *%rdi\n jmp probe_end\n"
    "probe_user_read: call probe_begin\n movabs $0x8000000000, %rax\n jmp 1f\n"
    "probe_user_write: call probe_begin\n movabs $0x8000000000 + probe_user_write_code - probe_user, %rax\n"
    "1: push $0x23\n push $0\n push $2\n push $0x2B\n push %rax\n iretq\n"
    "probe_begin: movq $0, probe_error\n lea 8(%rsp), %rcx\n mov %rcx, probe_stack\n ret\n"
    "probe_fault: pop probe_error\n orq $0x100, probe_error\n mov $-1, %rax\n"
    "probe_return: mov probe_stack, %rsp\n"
    "probe_end: movq $0, probe_stack\n push $2\n popfq\n ret\n"
    ".section .user, \"awx\"\n.balign 4096\n"
    "probe_user: mov (%rdi), %rax\n int $0x81\n"
    "probe_user_write_code: movb $0x77, 64(%rdi)\n int $0x81\n"
    ".balign 4096\n"
    ".data\n.balign 8\nprobe_stack: .quad 0\nprobe_error: .quad 0\n"
    ".text\n"
    ".globl probe_read, probe_write, probe_fetch, probe_user_read, probe_user_write, probe_fault, probe_return, probe_user, probe_error\n");

// Which frame answers, or FAULT.
static u32 frame_at(u64 address)
{
    u64 value = probe_read(address);
    return probe_error ? FAULT : (u32)value & 0xFF;
}

// ---- judging

static u32 checks, wrong, shown;
static const char *test;

static void check(int right, const char *what, u64 got)
{
    checks++;
    if (right) return;
    wrong++;
    if (shown++ < 8) put("| wrong %s %s: %X\n", test, what, got);
}
static void is_frame(u64 address, u32 frame, const char *what)
{
    u32 got = frame_at(address);
    check(got == frame, what, got);
}

static u64 entry_of(u32 frame, u64 flags) { return frame == FAULT ? 0 : (u64)frames[frame] | flags; }
static void map(u32 page, u32 frame, u64 flags) { *(volatile u64 *)&now->table[page] = entry_of(frame, flags); }
static u64 page_at(u32 page) { return REGION + 4096ull * page; }
static u64 flags_of(volatile u64 *entry) { return *entry & (ACCESSED | DIRTY); }

static void build_root(struct root *root)
{
    memset(root, 0, sizeof *root);
    root->pml4[0] = boot_low;
    root->pml4[1] = (u64)user_pdpt | P | RW | US;
    root->pml4[2] = (u64)root->pdpt | P | RW | US;
    root->pml4[RECURSIVE_SLOT] = (u64)root->pml4 | P | RW;
    root->pdpt[0] = (u64)root->directory | P | RW | US;
    root->directory[0] = (u64)root->table | P | RW | US;
}
static void load_root(struct root *root) { now = root; write_cr3((u64)root->pml4); }

// ---- INVLPG

static void invlpg_test(void)
{
    for (u32 page = 0; page < PAGES; page++) {
        map(page, page % 8, P | RW);
        is_frame(page_at(page), page % 8, "first");
        map(page, 8 + page % 8, P | RW);
        invlpg(page_at(page) + page * 8); // any address in the page
        is_frame(page_at(page), 8 + page % 8, "frame");
        map(page, page % 8, P);
        invlpg(page_at(page));
        write_cr0(read_cr0() | CR0_WP);
        probe_write(page_at(page));
        check(probe_error == 0x103, "read-only", probe_error);
        write_cr0(read_cr0() & ~(u64)CR0_WP);
        map(page, FAULT, 0);
        invlpg(page_at(page));
        is_frame(page_at(page), FAULT, "absent");
        map(page, 3, P | RW); // what is absent is not kept: no invalidation is needed
        is_frame(page_at(page), 3, "present-again");
        map(page, 4, P | RW | GLOBAL);
        invlpg(page_at(page));
        is_frame(page_at(page), 4, "global");
        map(page, 5, P | RW | GLOBAL);
        invlpg(page_at(page));
        is_frame(page_at(page), 5, "global-changed");
        map(page, FAULT, 0);
        invlpg(page_at(page));
    }
}

// More rights: a fault may be left from before, but only one, as it removes what was stale.
static void rights_test(void)
{
    write_cr0(read_cr0() | CR0_WP);
    for (u32 page = 0; page < 64; page++) {
        map(page, 1, P);
        invlpg(page_at(page));
        is_frame(page_at(page), 1, "read");
        map(page, 1, P | RW);
        probe_write(page_at(page));
        if (probe_error) probe_write(page_at(page));
        check(!probe_error, "write-after-one-fault", probe_error);
        map(page, FAULT, 0);
        invlpg(page_at(page));
    }
    write_cr0(read_cr0() & ~(u64)CR0_WP);
}

// Section 4.10.4.1: a page fault removes what was kept for its address, so that a read after a faulting write is of the new frame.
static void fault_test(void)
{
    write_cr0(read_cr0() | CR0_WP);
    for (u32 page = 0; page < 64; page++) {
        map(page, 2, P);
        invlpg(page_at(page));
        is_frame(page_at(page), 2, "first");
        map(page, 3, P);
        probe_write(page_at(page));
        check(probe_error == 0x103, "write-read-only", probe_error);
        is_frame(page_at(page), 3, "new-frame-after-fault");
    }
    write_cr0(read_cr0() & ~(u64)CR0_WP);
}

// A table at a higher level: INVLPG removes what is kept of all levels.
static void upper_test(void)
{
    for (u32 page = 0; page < PAGES; page++) {
        now->table[page] = entry_of(1, P | RW);
        now->other_table[page] = entry_of(2, P | RW);
    }
    for (u32 page = 0; page < PAGES; page++) {
        *(volatile u64 *)&now->directory[0] = (u64)now->table | P | RW | US;
        invlpg(page_at(page));
        is_frame(page_at(page), 1, "table");
        *(volatile u64 *)&now->directory[0] = (u64)now->other_table | P | RW | US;
        invlpg(page_at(page));
        is_frame(page_at(page), 2, "other-table");
        *(volatile u64 *)&now->pdpt[0] = 0;
        invlpg(page_at(page));
        is_frame(page_at(page), FAULT, "no-directory");
        *(volatile u64 *)&now->pdpt[0] = (u64)now->directory | P | RW | US;
        is_frame(page_at(page), 2, "directory-again");
        *(volatile u64 *)&now->pml4[2] = (u64)now->pdpt | P | US;
        invlpg(page_at(page));
        write_cr0(read_cr0() | CR0_WP);
        probe_write(page_at(page));
        check(probe_error == 0x103, "read-only-above", probe_error);
        write_cr0(read_cr0() & ~(u64)CR0_WP);
        *(volatile u64 *)&now->pml4[2] = (u64)now->pdpt | P | RW | US;
        invlpg(page_at(page));
        // Through the recursive slot, as kernels do it.
        volatile u64 *entry = (volatile u64 *)(0xFFFF000000000000ull | RECURSIVE_SLOT << 39 | REGION >> 9 | page * 8ull);
        *entry = entry_of(9, P | RW);
        invlpg(page_at(page));
        is_frame(page_at(page), 9, "recursive");
    }
    *(volatile u64 *)&now->directory[0] = (u64)now->table | P | RW | US;
    write_cr3(read_cr3());
}

static void large_test(void)
{
    for (u32 round = 0; round < 32; round++) {
        *(volatile u64 *)&now->directory[1] = 0x800000 | P | RW | PS | (round & 1 ? GLOBAL : 0);
        invlpg(LARGE);
        for (u32 page = 0; page < 512; page += 7) is_frame(LARGE + 4096 * page, 1, "large-first");
        *(volatile u64 *)&now->directory[1] = 0xA00000 | P | RW | PS | (round & 1 ? GLOBAL : 0);
        invlpg(LARGE + round * 0x10000); // one address: the whole page goes
        for (u32 page = 0; page < 512; page += 7) is_frame(LARGE + 4096 * page, 2, "large-second");
        // To 4 KiB pages and back.
        for (u32 page = 0; page < 512; page++) now->other_table[page] = entry_of(page % FRAMES, P | RW);
        *(volatile u64 *)&now->directory[1] = (u64)now->other_table | P | RW;
        invlpg(LARGE + round * 0x8000);
        for (u32 page = 0; page < 512; page += 7) is_frame(LARGE + 4096 * page, page % FRAMES, "split");
        *(volatile u64 *)&now->directory[1] = 0;
        for (u32 page = 0; page < 512; page += 7) invlpg(LARGE + 4096 * page);
        for (u32 page = 0; page < 512; page += 7) is_frame(LARGE + 4096 * page, FAULT, "large-absent");
    }
    if (features.page1g) {
        *(volatile u64 *)&now->pdpt[1] = P | RW | PS;
        invlpg(HUGE);
        for (u32 page = 0; page < 512; page += 7) is_frame(HUGE + 0x800000 + 4096 * page, 1, "huge");
        huge_directory[4] = 0xA00000 | P | RW | PS;
        *(volatile u64 *)&now->pdpt[1] = (u64)huge_directory | P | RW;
        invlpg(HUGE + 0x20000000);
        for (u32 page = 0; page < 512; page += 7) is_frame(HUGE + 0x800000 + 4096 * page, 2, "huge-split");
        *(volatile u64 *)&now->pdpt[1] = 0;
        write_cr3(read_cr3());
        is_frame(HUGE + 0x800000, FAULT, "huge-absent");
    }
}

// ---- MOV to CR3 and CR4

static void remap_all(u32 from, u64 flags)
{
    for (u32 page = 0; page < PAGES; page++) map(page, (page + from) % FRAMES, P | RW | flags);
}
static void all_are(u32 from, const char *what)
{
    for (u32 page = 0; page < PAGES; page++) is_frame(page_at(page), (page + from) % FRAMES, what);
}

static void cr3_test(void)
{
    for (u32 round = 0; round < 8; round++) {
        write_cr4(read_cr4() ^ (features.pge ? CR4_PGE : 0));
        remap_all(round, 0);
        write_cr3(read_cr3());
        all_are(round, "cr3");
        for (u32 page = 0; page < PAGES; page++) map(page, FAULT, 0);
        write_cr3(read_cr3());
        for (u32 page = 0; page < PAGES; page++) is_frame(page_at(page), FAULT, "cr3-absent");
    }
    // Another root, and back.
    struct root *first = now, *second = &roots[1];
    remap_all(1, 0);
    build_root(second);
    load_root(second);
    remap_all(2, 0);
    all_are(2, "second-root");
    load_root(first);
    all_are(1, "first-root");
    load_root(second);
    all_are(2, "second-root-again");
    load_root(first);
}

static void global_test(void)
{
    if (!features.pge) return;
    for (u32 round = 0; round < 8; round++) {
        write_cr4(read_cr4() | CR4_PGE);
        remap_all(round, GLOBAL);
        write_cr4(read_cr4() & ~(u64)CR4_PGE);
        all_are(round, "pge-off");
        write_cr4(read_cr4() | CR4_PGE);
        all_are(round, "pge-on");
        remap_all(round + 1, GLOBAL);
        write_cr3(read_cr3());
        for (u32 page = 0; page < PAGES; page++) invlpg(page_at(page));
        all_are(round + 1, "invlpg-global");
        remap_all(round + 3, 0);
        write_cr4(read_cr4() ^ CR4_PGE);
        all_are(round + 3, "pge-toggled");
    }
    // With CR4.PGE = 0 the bit means nothing.
    write_cr4(read_cr4() & ~(u64)CR4_PGE);
    remap_all(5, GLOBAL);
    write_cr3(read_cr3());
    all_are(5, "global-without-pge");
    remap_all(6, GLOBAL);
    write_cr3(read_cr3());
    all_are(6, "global-without-pge-changed");
}

// Control bits, PKRU, AC and the privilege level are looked at on each access: nothing needs to be invalidated.
static void control_test(void)
{
    for (u32 round = 0; round < 64; round++) {
        u64 page = page_at(round);
        map(round, 1, P);
        invlpg(page);
        probe_read(page);
        for (u32 i = 0; i < 4; i++) {
            write_cr0(read_cr0() ^ CR0_WP);
            probe_write(page);
            check(!probe_error == !(read_cr0() & CR0_WP), "wp", probe_error);
        }
        probe_user_read(page);
        check(probe_error == 0x105, "user-of-supervisor", probe_error);
        map(round, 1, P | RW | US);
        invlpg(page);
        probe_user_write(page);
        check(!probe_error, "user", probe_error);
        if (features.smap)
            for (u32 i = 0; i < 4; i++) {
                write_cr4(read_cr4() ^ CR4_SMAP);
                probe_read(page);
                check(!probe_error == !(read_cr4() & CR4_SMAP), "smap", probe_error);
                __asm__ volatile("stac");
                u64 value;
                // Not a probe, as those come back with AC = 0; a fault here breaks the image down.
                __asm__ volatile("mov (%1), %0\n clac" : "=r"(value) : "r"(page));
                check((value & 0xFF) == 1, "ac", value);
                probe_read(page);
                check(!probe_error == !(read_cr4() & CR4_SMAP), "ac-off", probe_error);
                probe_user_read(page);
                check(!probe_error, "smap-user", probe_error);
            }
        if (features.smep)
            for (u32 i = 0; i < 4; i++) {
                write_cr4(read_cr4() ^ CR4_SMEP);
                probe_fetch(page);
                check(!probe_error == !(read_cr4() & CR4_SMEP), "smep", probe_error);
            }
        if (features.pku) {
            map(round, 1, P | RW | US | 7ull << 59);
            invlpg(page);
            write_cr4(read_cr4() | CR4_PKE);
            for (u32 i = 0; i < 4; i++) {
                write_pkru(i << 14);
                probe_user_read(page);
                check(probe_error == (i & 1 ? 0x125 : 0), "pkru-read", probe_error);
                probe_user_write(page);
                check(probe_error == (i ? 0x127 : 0), "pkru-write", probe_error);
            }
            write_pkru(0);
            write_cr4(read_cr4() & ~(u64)CR4_PKE);
        }
    }
}

// ---- accessed and dirty flags

static void marks_test(void)
{
    for (u32 page = 0; page < PAGES; page++) {
        volatile u64 *entry = &now->table[page];
        u64 address = page_at(page);
        map(page, 1, P | RW);
        invlpg(address);
        probe_read(address);
        check(flags_of(entry) == ACCESSED, "read", *entry);
        probe_write(address); // what a read brought in must not hide the dirty flag
        check(flags_of(entry) == (ACCESSED | DIRTY), "write-after-read", *entry);
        map(page, 1, P | RW);
        invlpg(address);
        probe_write(address);
        check(flags_of(entry) == (ACCESSED | DIRTY), "write", *entry);
        map(page, 1, P | RW | ACCESSED);
        invlpg(address);
        u32 expected = 12345;
        __asm__ volatile("lock; cmpxchgl %2, (%1)" : "+a"(expected) : "r"(address + 128), "r"(54321) : "memory");
        check(flags_of(entry) == (ACCESSED | DIRTY), "failed-cmpxchg-is-a-write", *entry);
        map(page, 1, P);
        invlpg(address);
        write_cr0(read_cr0() | CR0_WP);
        probe_write(address);
        check(!(*entry & DIRTY), "no-dirty-on-fault", *entry);
        write_cr0(read_cr0() & ~(u64)CR0_WP);
        probe_write(address);
        check(flags_of(entry) == (ACCESSED | DIRTY), "write-read-only", *entry);
        map(page, 1, P | RW);
        invlpg(address);
        probe_fetch(address);
        check(flags_of(entry) == ACCESSED, "fetch", *entry);
        // Upper levels: accessed only, and again once it has been cleared and invalidated.
        volatile u64 *upper[] = { &now->directory[0], &now->pdpt[0], &now->pml4[2] };
        for (u32 level = 0; level < 3; level++) {
            *upper[level] &= ~(u64)(ACCESSED | DIRTY);
            invlpg(address);
            probe_write(address);
            check(flags_of(upper[level]) == ACCESSED, "upper", *upper[level]);
        }
    }
    // A string instruction over eight pages.
    for (u32 page = 0; page < 8; page++) map(page, 8 + page, P | RW);
    map(8, 1, P | RW);
    write_cr3(read_cr3());
    memset((void *)(page_at(0) + 256), 0, 0);
    for (u32 page = 0; page < 8; page++) check(!flags_of(&now->table[page]), "nothing-touched", now->table[page]);
    for (u32 page = 0; page < 8; page++) frames[8 + page][4095] = 0;
    u8 *across = (u8 *)page_at(0) + 4000;
    memset(across, 0, 96);
    check(flags_of(&now->table[0]) == (ACCESSED | DIRTY), "string-first", now->table[0]);
    check(!(now->table[1] & DIRTY), "string-next", now->table[1]);
    *(volatile u64 *)(page_at(1) + 4092) = 0; // four bytes in each page
    check(flags_of(&now->table[1]) == (ACCESSED | DIRTY), "across-first", now->table[1]);
    check(flags_of(&now->table[2]) == (ACCESSED | DIRTY), "across-second", now->table[2]);
    frames[10][0] = 10, frames[10][1] = frames[10][2] = frames[10][3] = 0;

    volatile u64 *large = &now->directory[1];
    *large = 0x800000 | P | RW | PS;
    invlpg(LARGE);
    probe_read(LARGE);
    check(flags_of(large) == ACCESSED, "large-read", *large);
    probe_write(LARGE + 0x1000);
    check(flags_of(large) == (ACCESSED | DIRTY), "large-write", *large);
    *large = 0;
    invlpg(LARGE);
}

// Code: another frame behind the address that is executed.
static void code_test(void)
{
    for (u32 round = 0; round < 256; round++) {
        u32 page = round % 16;
        map(page, round % FRAMES, P | RW);
        invlpg(page_at(page));
        u64 got = probe_fetch(page_at(page));
        check(got == round % FRAMES && !probe_error, "code", got);
        if (!features.nx) continue;
        map(page, round % FRAMES, P | RW | XD);
        invlpg(page_at(page));
        probe_fetch(page_at(page));
        check(probe_error == 0x111, "no-execute", probe_error);
    }
}

// ---- random operations: every page has the set of frames that may answer

static u32 random_state;
static u32 next_random(u32 below) { random_state = random_state * 1664525 + 1013904223; return (random_state >> 8) % below; }
static u32 may_be[ROOTS][PAGES]; // bits: frames, and FAULT
static u16 is_now[ROOTS][PAGES];
static u8 is_global[PAGES];

static void settle(u32 root, u32 page) { may_be[root][page] = 1u << is_now[root][page]; }

static void random_change(u32 root, u32 page, u32 frame)
{
    u32 stale = may_be[root][page] & ~(1u << FAULT); // an absent page is never kept
    is_now[root][page] = (u16)frame;
    may_be[root][page] = stale | 1u << frame;
    *(volatile u64 *)&roots[root].table[page] = entry_of(frame, P | RW | (root == 0 && is_global[page] ? GLOBAL : 0));
}

static void random_read(u32 root, u32 page)
{
    u32 got = frame_at(page_at(page));
    check(may_be[root][page] >> got & 1, "random", (u64)page << 32 | got << 8 | is_now[root][page]);
    if (got == FAULT) settle(root, page); // a fault removes what was kept
}

static void random_test(void)
{
    u32 rounds = (u32)option_number("rounds", 300000);
    random_state = (u32)option_number("seed", 1);
    if (features.pge) write_cr4(read_cr4() | CR4_PGE);
    for (u32 page = 0; page < PAGES; page++) {
        is_global[page] = features.pge && page % 4 == 0;
        may_be[0][page] = 1u << FAULT;
        random_change(0, page, page % FRAMES);
    }
    write_cr3(read_cr3());
    for (u32 round = 0; round < rounds; round++) {
        u32 page = next_random(PAGES), what = next_random(1024);
        if (what < 300) random_change(0, page, next_random(8) ? next_random(FRAMES) : FAULT);
        else if (what < 450) { invlpg(page_at(page)); settle(0, page); }
        else if (what < 454) {
            write_cr3(read_cr3());
            for (u32 i = 0; i < PAGES; i++) if (!is_global[i]) settle(0, i);
        } else if (what < 456 && features.pge) {
            write_cr4(read_cr4() ^ CR4_PGE);
            write_cr4(read_cr4() ^ CR4_PGE);
            for (u32 i = 0; i < PAGES; i++) settle(0, i);
        } else random_read(0, page);
    }
    for (u32 page = 0; page < PAGES; page++) map(page, FAULT, 0);
    write_cr4(read_cr4() & ~(u64)CR4_PGE);
    write_cr3(read_cr3());
}

// ---- PCID

static void invpcid(u64 type, u64 pcid, u64 address)
{
    struct { u64 pcid, address; } descriptor = { pcid, address };
    __asm__ volatile("invpcid %0, %1" ::"m"(descriptor), "r"(type) : "memory");
}

// Roots 0 to 3 with PCIDs 0 to 3. `keep`: bit 63, nothing is invalidated.
static u32 current_root;
static void load_pcid(u32 root, int keep)
{
    current_root = root;
    now = &roots[root];
    write_cr3((u64)roots[root].pml4 | root | (keep ? 1ull << 63 : 0));
}

static void pcid_test(void)
{
    if (!features.pcid) return;
    u32 rounds = (u32)option_number("rounds", 300000);
    random_state = (u32)option_number("seed", 1) + 77;
    for (u32 root = 1; root < ROOTS; root++) build_root(&roots[root]);
    load_root(&roots[0]);
    write_cr4(read_cr4() | CR4_PCIDE | CR4_PGE);
    memset(is_global, 0, sizeof is_global);
    for (u32 root = 0; root < ROOTS; root++) {
        load_pcid(root, 0);
        for (u32 page = 0; page < PAGES; page++) {
            may_be[root][page] = 1u << FAULT;
            random_change(root, page, (page + root) % FRAMES);
            settle(root, page);
            invlpg(page_at(page));
        }
    }
    // Each keeps its own: nothing was changed, so nothing else may answer.
    for (u32 round = 0; round < 64; round++) {
        load_pcid(round % ROOTS, 1);
        all_are(round % ROOTS, "pcid-own");
    }
    for (u32 round = 0; round < rounds; round++) {
        u32 page = next_random(PAGES), root = next_random(ROOTS), what = next_random(1024);
        if (what < 300) random_change(root, page, next_random(8) ? next_random(FRAMES) : FAULT);
        else if (what < 400) { invlpg(page_at(page)); settle(current_root, page); }
        else if (what < 440) load_pcid(root, 1);
        else if (what < 446) {
            load_pcid(root, 0);
            for (u32 i = 0; i < PAGES; i++) settle(root, i);
        } else if (what < 500 && features.invpcid) { invpcid(0, root, page_at(page)); settle(root, page); }
        else if (what < 504 && features.invpcid) {
            invpcid(1, root, 0);
            for (u32 i = 0; i < PAGES; i++) settle(root, i);
        } else if (what < 508) {
            if (!features.invpcid || what < 506) write_cr4(read_cr4() ^ CR4_PGE);
            else invpcid(2 + what % 2, 0, 0);
            for (u32 r = 0; r < ROOTS; r++) for (u32 i = 0; i < PAGES; i++) settle(r, i);
        } else random_read(current_root, page);
    }
    // PCIDE from 1 to 0 invalidates everything.
    load_pcid(0, 0);
    write_cr4(read_cr4() | CR4_PGE);
    remap_all(3, GLOBAL);
    write_cr4(read_cr4() & ~(u64)CR4_PCIDE);
    all_are(3, "pcide-off");
    if (features.invpcid) { // INVPCID needs no PCIDE
        remap_all(4, GLOBAL);
        invpcid(2, 0, 0);
        all_are(4, "invpcid-2-global");
        remap_all(5, 0);
        invpcid(3, 0, 0);
        for (u32 page = 0; page < PAGES; page++) invlpg(page_at(page));
        remap_all(6, 0);
        invpcid(1, 0, 0);
        all_are(6, "invpcid-1");
    }
    write_cr4(read_cr4() & ~(u64)CR4_PGE);
    load_root(&roots[0]);
}

static const struct { const char *name; void (*run)(void); } tests[] = {
    { "invlpg", invlpg_test }, { "rights", rights_test }, { "fault", fault_test }, { "upper", upper_test }, { "large", large_test }, { "cr3", cr3_test },
    { "global", global_test }, { "control", control_test }, { "marks", marks_test }, { "code", code_test }, { "random", random_test },
    { "pcid", pcid_test },
};

void image_main(void)
{
    load_tables();
    set_gate(14, probe_fault, 0);
    set_gate(0x81, probe_return, 3);
    u64 boot_root = read_cr3();
    boot_low = *(u64 *)boot_root;
    if (features.nx) write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
    user_pdpt[0] = (u64)user_directory | P | RW | US;
    user_directory[0] = (u64)user_table | P | RW | US;
    user_table[0] = (u64)probe_user | P | US;
    // A frame tells its number to a read of its first eight bytes and, eight bytes on, to a call.
    for (u32 frame = 0; frame < FRAMES; frame++) {
        frames[frame][0] = (u8)frame;
        static const u8 code[] = { 0xB8, 0, 0, 0, 0, 0xC3 }; // mov $frame, %eax; ret
        memcpy(frames[frame] + 8, code, sizeof code);
        frames[frame][9] = (u8)frame;
    }
    for (u32 page = 0; page < 512; page++) {
        *(u64 *)(0x800000ull + 4096 * page) = 1;
        *(u64 *)(0xA00000ull + 4096 * page) = 2;
    }

    put("tlb: pge %u nx %u 1g %u smep %u smap %u pcid %u invpcid %u pku %u\n", features.pge, features.nx, features.page1g, features.smep,
        features.smap, features.pcid, features.invpcid, features.pku);
    u32 all = 0;
    for (u32 i = 0; i < COUNT(tests); i++) {
        if (!option_lists("test", tests[i].name)) continue;
        test = tests[i].name;
        checks = wrong = shown = 0;
        write_cr3(boot_root);
        build_root(&roots[0]);
        load_root(&roots[0]);
        tests[i].run();
        put("%s checks %u | wrong %u\n", test, checks, wrong);
        all += wrong;
    }
    finish(all ? EXIT_WRONG : EXIT_RIGHT);
}
