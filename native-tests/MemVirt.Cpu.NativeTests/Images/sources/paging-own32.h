// What only one of the 32-bit modes has: the PDPTE registers of PAE paging, the 40-bit addresses of PSE-36.
#pragma once

static u32 own_wrong, own_checks, own_total;
static void own_check(int right, const char *what, u32 number)
{
    own_checks++;
    if (right) return;
    own_total++;
    if (own_wrong++ < 8) put("| wrong %s %u\n", what, number);
}

#if MODE == 36

// MOV to CR3 that may fault: the handler steps over its three bytes.
static volatile u32 refused;
extern u8 refuse_entry[];
__asm__(".text\nrefuse_entry: addl $4, %esp\n addl $3, (%esp)\n movl $1, refused\n iretl\n");
static int load_cr3(void)
{
    refused = 0;
    __asm__ volatile("mov %0, %%cr3" ::"a"(root) : "memory");
    return !refused;
}

static u32 read_outcome(void) // 0, or the error code with MISSING
{
    access_run(SR);
    barrier();
    return access_vector == 14 ? access_error | MISSING : 0;
}

static void run_own_section(void)
{
    if (!option_lists("section", "pdpte")) return;
    set_gate(13, refuse_entry, 0);
    entry e[LEVELS];
    permissive(e, 0);
    for (int level = 0; level < LEVELS; level++) *slots[level] = e[level];
    volatile u64 *pdpte = &pdpt[TEST_ADDRESS >> 30];
    u64 good = (uptr)tables[1] | 1, must_be_zero = 0x1E6 | ~((1ull << features.physical_bits) - 1);

    // Section 4.4.1: MOV to CR3 is refused where a present PDPTE has a reserved bit; CR3 and the registers stay.
    for (u32 bit = 1; bit < 64; bit++) {
        u64 one = 1ull << bit;
        if (bit >= 12 && !(must_be_zero & one)) continue; // the address
        *pdpte = good | one;
        int taken = load_cr3();
        own_check(taken == !(must_be_zero & one), "load-of-bit", bit);
        *pdpte = taken ? *pdpte : good;
        invlpg(TEST_ADDRESS);
        own_check(read_outcome() == 0, "access-after-bit", bit);
        own_check(*pdpte == (taken ? good | one : good), "pdpte-is-not-marked", bit);
        *pdpte = one; // absent: no bit matters
        own_check(load_cr3(), "load-of-absent", bit);
        own_check(read_outcome() == MISSING, "access-to-absent", bit);
        *pdpte = good;
        own_check(load_cr3(), "load-of-good", bit);
        own_check(read_outcome() == 0, "access-to-good", bit);
    }
    put("pdpte.load checks %u | wrong %u\n", own_checks, own_wrong);

    // What is in memory matters only when the registers are loaded: by MOV to CR3, and by MOV to CR0 or CR4 that changes
    // CR0.CD, NW or PG, or CR4.PAE, PGE, PSE or SMEP.
    own_wrong = own_checks = 0;
    *pdpte = 0;
    invlpg(TEST_ADDRESS);
    own_check(read_outcome() == 0, "registers-keep-present", 0);
    if (features.pge) {
        write_cr4(read_cr4() ^ CR4_PGE);
        own_check(read_outcome() == MISSING, "cr4-pge-loads", 0);
        *pdpte = good;
        invlpg(TEST_ADDRESS);
        own_check(read_outcome() == MISSING, "registers-keep-absent", 0);
        write_cr4(read_cr4() ^ CR4_PGE);
        own_check(read_outcome() == 0, "cr4-pge-loads", 1);
    }
    *pdpte = 0;
    write_cr4(read_cr4() ^ CR4_PSE);
    invlpg(TEST_ADDRESS); // section 4.10.4.1: a change of PSE need not invalidate
    own_check(read_outcome() == MISSING, "cr4-pse-loads", 0);
    *pdpte = good;
    write_cr4(read_cr4() ^ CR4_PSE);
    own_check(read_outcome() == 0, "cr4-pse-loads", 1);
    put("pdpte.registers checks %u | wrong %u\n", own_checks, own_wrong);
}

#else

// Needs memory from 4 GiB to 4 GiB + 16 MiB: `memory=6g` says that it is there.
static void run_own_section(void)
{
    if (!option_lists("section", "pse36") || !option("memory") || !features.pse36) return;
    apply(PSE, 0);
    u32 *directory = tables[1];
    volatile u32 *low = (volatile u32 *)0x900000, *high = (volatile u32 *)0x90100000, *again = (volatile u32 *)0x90500000;
    directory[0x900000 >> 22] = 0x800000 | 0x83; // memory of its own below 4 GiB, and the same offset 4 GiB higher, twice
    directory[0x90000000 >> 22] = 0x800000 | 0x2083;
    directory[0x90400000 >> 22] = 0x800000 | 0x2083 | 0x1000; // bit 12 is PAT
    write_cr3(root);
    for (u32 i = 0; i < 1024; i++) low[i] = i;
    for (u32 i = 0; i < 1024; i++) high[i] = ~i;
    for (u32 i = 0; i < 1024; i++) {
        own_check(low[i] == i, "low", i);
        own_check(high[i] == ~i, "high", i);
        own_check(again[i] == ~i, "high-again", i);
    }
    directory[0x90000000 >> 22] = 0x800000 | 0x83;
    invlpg((uptr)high);
    own_check(high[5] == 5, "back-below", 5);
    put("pse36 checks %u | wrong %u\n", own_checks, own_wrong);
}

#endif
