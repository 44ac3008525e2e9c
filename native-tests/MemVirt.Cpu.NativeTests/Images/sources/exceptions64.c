// The 64-bit cases' surroundings: tables, and what a case asks to have changed. Everything is put back between cases.
#include "exceptions.h"

#define MSR_STAR 0xC0000081u
#define MSR_LSTAR 0xC0000082u
#define MSR_SFMASK 0xC0000084u
#define MSR_SYSENTER 0x174u // CS, ESP, EIP
#define MSR_FS_BASE 0xC0000100u
#define ABSENT_STACK 0x8000002000ull
#define HOLE 0x800000000000ull

static u64 pdpt[512] PAGE_ALIGNED, directory[512] PAGE_ALIGNED, table[512] PAGE_ALIGNED;
static u64 edge_pdpt[512] PAGE_ALIGNED, edge_directory[512] PAGE_ALIGNED, edge_table[512] PAGE_ALIGNED;
static u8 frames[4][4096] PAGE_ALIGNED;
static struct { struct tss tss; u8 io_map[64]; } __attribute__((packed, aligned(256))) task;
extern const u64 syscall_case_target, sysenter_case_target;
extern u8 call_gate_target[];

static u64 top_of(const u8 *stack) { return (u64)stack + 4096; }

static void load_idt(u32 limit)
{
    struct { u16 limit; u64 base; } __attribute__((packed)) pointer = { (u16)limit, (u64)idt };
    __asm__ volatile("lidt %0" ::"m"(pointer) : "memory");
}

static void set_call_gate(u32 selector, u32 dpl, const void *target)
{
    struct gate gate = { .offset0 = (u16)(u64)target, .selector = KERNEL_CODE, .type = (u8)(0x8C | dpl << 5), .offset1 = (u16)((u64)target >> 16) };
    memcpy(gdt + selector, &gate, sizeof gate);
}

static void reset(void)
{
    __asm__ volatile("clts");
    write_cr0((read_cr0() & ~(u64)(CR0_EM | CR0_WP | CR0_AM | CR0_MP)) | CR0_NE | CR0_MP);
    write_cr4(CR4_PAE | CR4_DE | (features.sse ? CR4_OSFXSR | CR4_OSXMMEXCPT : 0));
    if (features.sse) {
        u32 mxcsr = 0x1F80;
        __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    }
    __asm__ volatile("fninit");
    __asm__ volatile("mov %0, %%dr7; mov %1, %%dr6; mov %2, %%dr0" ::"r"(0x400ull), "r"(0xFFFF0FF0ull), "r"(0ull));
    write_msr(MSR_EFER, (read_msr(MSR_EFER) & ~(u64)EFER_SCE) | (features.nx ? EFER_NXE : 0));
    write_msr(MSR_FS_BASE, 0);

    for (u32 vector = 0; vector < 256; vector++)
        set_gate(vector, trap_entries + 16 * vector, vector == 3 || vector == 0x41 || vector == 0x42 || vector == 0x81 ? 3 : 0);
    load_idt(sizeof idt - 1);

    memset(&task, 0, sizeof task);
    memset(task.io_map, 0xFF, sizeof task.io_map);
    task.tss.rsp[0] = top_of(level0_stack);
    task.tss.ist[0] = top_of(ist_stack);
    task.tss.io_map = sizeof task;
    set_descriptor(TASK, (u32)(u64)&task, sizeof task - 1, 0x89, 0);
    *(u64 *)(gdt + TASK + 8) = 0;
    __asm__ volatile("ltr %w0; lldt %w1" ::"r"(TASK), "r"(0) : "memory");
    set_call_gate(0x60, 3, call_gate_target);
    set_call_gate(0x70, 0, call_gate_target);
    set_descriptor(0x80, 0, 0xFFFFF, 0x13, 0xC); // data, not present
    set_descriptor(0x88, 0, 0xFFFFF, 0x7B, 0xA); // code of level 3, not present
    set_descriptor(0x90, 0, 0xFFFFF, 0x9F, 0xA); // conforming code
    set_descriptor(0x98, 0, 0xFFFFF, 0x9B, 0xC); // 32-bit code of level 0
    set_descriptor(0xA0, 0, 0x67, 0x09, 0);      // TSS, not present
    *(u64 *)(gdt + 0xA8) = 0;
    __asm__ volatile("mov %w0, %%ds; mov %w0, %%es; mov %w0, %%fs; mov %w0, %%gs" ::"r"(USER_DATA) : "memory");
}

// ---- what cases ask for

int prepare_task_switched(void) { write_cr0(read_cr0() | CR0_TS); return 1; }
int prepare_emulate(void) { write_cr0(read_cr0() | CR0_EM); return features.sse; }
int prepare_write_protect(void) { write_cr0(read_cr0() | CR0_WP); return 1; }
int prepare_alignment_mask(void) { write_cr0(read_cr0() | CR0_AM); return 1; }
int prepare_no_osfxsr(void) { write_cr4(read_cr4() & ~(u64)CR4_OSFXSR); return features.sse; }
int prepare_no_osxmmexcpt(void) { write_cr4(read_cr4() & ~(u64)CR4_OSXMMEXCPT); return features.sse; }
int prepare_time_stamp_disable(void) { write_cr4(read_cr4() | 4); return 1; }
int prepare_no_execute(void) { return features.nx; }

int prepare_general_detect(void) { __asm__ volatile("mov %0, %%dr7" ::"r"(0x2400ull)); return 1; }
static int debug_register(u64 address, u64 dr7)
{
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr7" ::"r"(address), "r"(dr7));
    return 1;
}
int prepare_watch(void) { return debug_register(0x8000000010, 0xD0402); }                  // G0, write, 4 bytes
int prepare_breakpoint(void) { return debug_register((u64)now_running->at, 0x402); }

int prepare_breakpoint_gate(void) { set_gate(3, trap_entries + 48, 0); return 1; }
int prepare_breakpoint_ist(void) { idt[3].ist = 1; return 1; }
int prepare_gate_absent(void) { idt[0x41].type &= 0x7F; return 1; }
int prepare_short_idt(void) { load_idt(0x41 * 16 - 1); return 1; }
int prepare_gate_null(void) { idt[0x42].selector = 0; return 1; }
int prepare_gate_data(void) { idt[0x42].selector = KERNEL_DATA; return 1; }
int prepare_gate_32(void) { idt[0x42].selector = 0x98; return 1; }
int prepare_gate_hole(void) { idt[0x42].offset2 = 0x8000; return 1; }
int prepare_gp_absent(void) { idt[13].type &= 0x7F; return 1; }
int prepare_gp_absent_ist(void) { idt[8].ist = 1; return prepare_gp_absent(); }
int prepare_pf_absent(void) { idt[14].type &= 0x7F; return 1; }
int prepare_ud_absent(void) { idt[6].type &= 0x7F; return 1; }
int prepare_de_absent(void) { idt[0].type &= 0x7F; return 1; }
int prepare_df_ist(void) { idt[8].ist = 1; return 1; }
int prepare_level0_stack_absent(void) { task.tss.rsp[0] = ABSENT_STACK; idt[14].ist = 1; return 1; }
int prepare_level0_stack_hole(void) { task.tss.rsp[0] = HOLE + 0x1000; idt[12].ist = 1; return 1; }
int prepare_io_bitmap(void)
{
    task.tss.io_map = sizeof task.tss;
    task.io_map[0x80 / 8] = 0xFE; // port 0x80 only
    return 1;
}

int prepare_syscall_on(void)
{
    if (!features.syscall) return 0;
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
    write_msr(MSR_STAR, (u64)0x1B << 48 | (u64)KERNEL_CODE << 32);
    write_msr(MSR_SFMASK, 0x4700);
    return 1;
}
int prepare_syscall(void) { write_msr(MSR_LSTAR, syscall_case_target); return prepare_syscall_on(); }
int prepare_no_syscall(void) { return 1; }

// Where the vendor is AMD, SYSENTER and SYSEXIT do not exist in long mode.
int prepare_sysenter(void)
{
    if (!features.sysenter || cpuid(0, 0).b != 0x756E6547) return 0;
    write_msr(MSR_SYSENTER, KERNEL_CODE);
    write_msr(MSR_SYSENTER + 1, top_of(same_stack));
    write_msr(MSR_SYSENTER + 2, sysenter_case_target);
    return 1;
}
int prepare_sysenter_null(void)
{
    if (!prepare_sysenter()) return 0;
    write_msr(MSR_SYSENTER, 0);
    return 1;
}

void image_main(void)
{
    load_tables();
    out8(0x21, 0xFF); // no interrupts from the old controllers
    out8(0xA1, 0xFF);

    // The loader's map for level 3 as well, and a few pages with something to fault on.
    u64 *pml4 = (u64 *)read_cr3();
    pml4[0] |= 4;
    u64 *low = (u64 *)(pml4[0] & ~0xFFFull);
    for (u32 i = 0; i < 4; i++) {
        low[i] |= 4;
        u64 *pages = (u64 *)(low[i] & ~0xFFFull);
        for (u32 k = 0; k < 512; k++) pages[k] |= 4;
    }
    pml4[1] = (u64)pdpt | 7;
    pdpt[0] = (u64)directory | 7;
    directory[0] = (u64)table | 7;
    table[0] = (u64)frames[0] | 7;
    table[2] = (u64)frames[1] | 5;
    table[3] = (u64)frames[2] | 3;
    table[4] = (u64)frames[3] | 7 | (features.nx ? 1ull << 63 : 0);
    pml4[255] = (u64)edge_pdpt | 7;
    edge_pdpt[511] = (u64)edge_directory | 7;
    edge_directory[511] = (u64)edge_table | 7;
    edge_table[511] = (u64)frames[3] | 7;
    if (features.nx) write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
    write_cr3(read_cr3());
    run_cases("exceptions64", reset);
}
