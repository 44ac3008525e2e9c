// The 32-bit cases' surroundings.
#include "exceptions.h"

#define MSR_SYSENTER 0x174u

static u32 directory[1024] PAGE_ALIGNED, table[1024] PAGE_ALIGNED;
static u8 frames[3][4096] PAGE_ALIGNED;
static u8 small_segment[8192] PAGE_ALIGNED;
struct tss task_state;
#define task task_state
static struct tss other_task;
static u8 other_stack[1024] __attribute__((aligned(16)));
extern const u32 sysenter_case_target;
extern u32 other_task_returns_to;
extern u8 call_gate_target[], other_task_entry[];

static u32 top_of(const u8 *stack) { return (u32)stack + 4096; }

static void load_idt(u32 limit)
{
    struct { u16 limit; u32 base; } __attribute__((packed)) pointer = { (u16)limit, (u32)idt };
    __asm__ volatile("lidt %0" ::"m"(pointer) : "memory");
}

static void set_call_gate(u32 selector, u8 type, u32 parameters)
{
    u32 target = (u32)call_gate_target, *gate = (u32 *)(gdt + selector);
    gate[0] = (target & 0xFFFF) | KERNEL_CODE << 16;
    gate[1] = (target & 0xFFFF0000) | (u32)type << 8 | parameters;
}

static void reset(void)
{
    __asm__ volatile("clts");
    write_cr0((read_cr0() & ~(u32)(CR0_EM | CR0_WP | CR0_AM)) | CR0_NE | CR0_MP);
    __asm__ volatile("fninit");
    __asm__ volatile("mov %0, %%dr7; mov %1, %%dr6" ::"r"(0x400u), "r"(0xFFFF0FF0u));
    for (u32 vector = 0; vector < 256; vector++)
        set_gate(vector, trap_entries + 16 * vector,
            vector == 3 || vector == 4 || vector == 5 || vector == 0x41 || vector == 0x42 || vector == 0x81 ? 3 : 0);
    load_idt(sizeof idt - 1);

    memset(&task, 0, sizeof task);
    task.esp0 = top_of(level0_stack);
    task.ss0 = KERNEL_DATA;
    task.cr3 = (u32)directory;
    task.io_map = sizeof task;
    set_descriptor(TASK, (u32)&task, sizeof task - 1, 0x89, 0);
    set_call_gate(0x60, 0xEC, 2);
    set_call_gate(0x68, 0x8C, 0);
    set_call_gate(0x70, 0x6C, 0);
    set_descriptor(0x80, 0, 0xFFFFF, 0x73, 0xC);
    set_descriptor(0x88, 0, 0xFFFFF, 0x7B, 0xC);
    set_descriptor(0x90, 0, 0xFFFFF, 0x9F, 0xC);
    set_descriptor(0x98, (u32)small_segment, 0xFFF, 0xF3, 0x4);
    set_descriptor(0xA0, (u32)small_segment, 0xFFF, 0xF7, 0x4);
    set_descriptor(0xA8, 0, 0xFFFFF, 0xF1, 0xC);
    set_descriptor(0xB0, 0, 0xFFFFF, 0xF9, 0xC);
    set_descriptor(0xB8, (u32)&other_task, sizeof other_task - 1, 0x89, 0);
    set_descriptor(0xC0, 0, 0x67, 0x09, 0);
    ((u32 *)(gdt + 0xC8))[0] = 0xB8 << 16;
    ((u32 *)(gdt + 0xC8))[1] = 0xE500; // task gate of level 3
    __asm__ volatile("ltr %w0; lldt %w1" ::"r"(TASK), "r"(0) : "memory");
    __asm__ volatile("mov %w0, %%ds; mov %w0, %%es; mov %w0, %%fs; mov %w0, %%gs" ::"r"(USER_DATA) : "memory");
    memset(small_segment, 0x5A, 4096);
    memset(small_segment + 4096, 0x5B, 4096);
}

int prepare_task_switched(void) { write_cr0(read_cr0() | CR0_TS); return 1; }
int prepare_write_protect(void) { write_cr0(read_cr0() | CR0_WP); return 1; }
int prepare_alignment_mask(void) { write_cr0(read_cr0() | CR0_AM); return 1; }
int prepare_no_avx(void) { return 1; } // OSXSAVE is off: C5 /3 is no VEX prefix that decodes
int prepare_breakpoint_gate(void) { set_gate(3, trap_entries + 48, 0); return 1; }
int prepare_overflow_gate(void) { set_gate(4, trap_entries + 64, 0); return 1; }
int prepare_gate_absent(void) { idt[0x41].type &= 0x7F; return 1; }
int prepare_short_idt(void) { load_idt(0x41 * 8 - 1); return 1; }
int prepare_gate_null(void) { idt[0x42].selector = 0; return 1; }
int prepare_gate_data(void) { idt[0x42].selector = KERNEL_DATA; return 1; }
int prepare_gate_code_absent(void) { idt[0x42].selector = 0x88; set_descriptor(0x88, 0, 0xFFFFF, 0x1B, 0xC); return 1; }
int prepare_trap_gate(void) { idt[0x42].type |= 1; return 1; }
int prepare_gp_absent(void) { idt[13].type &= 0x7F; return 1; }
int prepare_pf_absent(void) { idt[14].type &= 0x7F; return 1; }
int prepare_ud_absent(void) { idt[6].type &= 0x7F; return 1; }

extern u8 told_ts[], told_ss[];
static int broken_stack(u32 ss0)
{
    set_gate(10, told_ts, 0);
    set_gate(12, told_ss, 0);
    idt[10].selector = idt[12].selector = 0x90;
    task.ss0 = ss0;
    return 1;
}
int prepare_ss0_null(void) { return broken_stack(0); }
int prepare_ss0_user(void) { return broken_stack(USER_DATA); }
int prepare_ss0_code(void) { return broken_stack(KERNEL_CODE); }
int prepare_ss0_absent(void) { set_descriptor(0x80, 0, 0xFFFFF, 0x13, 0xC); return broken_stack(0x80); }

int prepare_other_task(void)
{
    memset(&other_task, 0, sizeof other_task);
    other_task.cr3 = (u32)directory;
    other_task.eip = (u32)other_task_entry;
    other_task.eflags = 2;
    other_task.esp = (u32)other_stack + sizeof other_stack;
    other_task.cs = KERNEL_CODE;
    other_task.ss = KERNEL_DATA;
    other_task.ds = other_task.es = other_task.fs = other_task.gs = USER_DATA;
    other_task.io_map = sizeof other_task;
    other_task_returns_to = (u32)&task.eax;
    return 1;
}

int prepare_sysenter(void)
{
    if (!features.sysenter) return 0;
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
    out8(0x21, 0xFF);
    out8(0xA1, 0xFF);
    for (u32 i = 0; i < 16; i++) directory[i] = i << 22 | 0x87;
    directory[0x40000000 >> 22] = (u32)table | 7;
    table[0] = (u32)frames[0] | 7;
    table[2] = (u32)frames[1] | 5;
    table[3] = (u32)frames[2] | 3;
    write_cr4(CR4_PSE);
    write_cr3((u32)directory);
    write_cr0(read_cr0() | CR0_PG);
    run_cases("exceptions32", reset);
}
