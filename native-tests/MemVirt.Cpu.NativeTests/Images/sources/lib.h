// What every image uses: console, command line, processor registers, descriptor tables.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long uptr;
typedef long sptr;
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE_ALIGNED __attribute__((aligned(4096)))

// Exit values; QEMU's isa-debug-exit makes (value << 1) | 1 of them: 33, 35, 37.
enum { EXIT_RIGHT = 0x10, EXIT_WRONG = 0x11, EXIT_BROKEN = 0x12 };

void put(const char *format, ...); // %s %c %d (int) %u (u32) %x (u32) %X (u64) %U (u64); %08x pads with zeros
void finish(u32 value) __attribute__((noreturn));

// Words of the command line: "name=value", "name". A loader may or may not put the file's name first.
const char *option(const char *name); // value up to a space or the end; null where there is none; "" for a bare word
u64 option_number(const char *name, u64 otherwise);
int option_lists(const char *name, const char *word); // true where the option is missing or its commas contain the word

void *memset(void *to, int value, uptr bytes);
void *memcpy(void *to, const void *from, uptr bytes);
int same(const char *a, const char *b);

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline u8 in8(u16 port) { u8 value; __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port)); return value; }
static inline void out32(u16 port, u32 value) { __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }

#define CONTROL_REGISTER(n) \
    static inline uptr read_cr##n(void) { uptr v; __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v)::"memory"); return v; } \
    static inline void write_cr##n(uptr v) { __asm__ volatile("mov %0, %%cr" #n ::"r"(v) : "memory"); }
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)

static inline u64 read_msr(u32 msr) { u32 lo, hi; __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr)); return lo | (u64)hi << 32; }
static inline void write_msr(u32 msr, u64 value) { __asm__ volatile("wrmsr" ::"a"((u32)value), "d"((u32)(value >> 32)), "c"(msr) : "memory"); }
static inline u64 read_tsc(void) { u32 lo, hi; __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)); return lo | (u64)hi << 32; }
static inline void invlpg(uptr va) { __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory"); }
static inline void write_pkru(u32 value) { __asm__ volatile("wrpkru" ::"a"(value), "c"(0), "d"(0) : "memory"); }
static inline void barrier(void) { __asm__ volatile("" ::: "memory"); }

struct cpuid { u32 a, b, c, d; };
static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
    return r;
}

enum { CR0_MP = 1 << 1, CR0_EM = 1 << 2, CR0_TS = 1 << 3, CR0_NE = 1 << 5, CR0_WP = 1 << 16, CR0_AM = 1 << 18 };
#define CR0_PG 0x80000000u
enum {
    CR4_DE = 1 << 3, CR4_PSE = 1 << 4, CR4_PAE = 1 << 5, CR4_PGE = 1 << 7, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10,
    CR4_PCIDE = 1 << 17, CR4_SMEP = 1 << 20, CR4_SMAP = 1 << 21, CR4_PKE = 1 << 22,
};
#define MSR_EFER 0xC0000080u
enum { EFER_SCE = 1, EFER_NXE = 1 << 11 };

// What CPUID says of the features the images turn on.
struct features { u8 pse, pae, pge, pse36, nx, page1g, smep, smap, pcid, invpcid, pku, sse, syscall, sysenter, physical_bits; };
extern struct features features;

// Selectors: SYSCALL, SYSRET, SYSENTER and SYSEXIT find what they expect around these.
enum {
    KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_CODE32 = 0x1B, USER_DATA = 0x23, USER_CODE = sizeof(void *) == 8 ? 0x2B : 0x1B,
    TASK = 0x38, LOCAL = 0x48, SPARE = 0x58, GDT_BYTES = 0x100,
};
extern u8 gdt[GDT_BYTES];
#ifdef __x86_64__
struct tss { u32 reserved0; u64 rsp[3], reserved1, ist[7], reserved2; u16 reserved3, io_map; } __attribute__((packed));
struct gate { u16 offset0, selector; u8 ist, type; u16 offset1; u32 offset2, zero; };
#else
struct tss {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi, es, cs, ss, ds, fs, gs, ldt;
    u16 trap, io_map;
};
struct gate { u16 offset0, selector; u8 zero, type; u16 offset1; };
#endif
extern struct tss tss;
extern struct gate idt[256];
void set_descriptor(u32 selector, u32 base, u32 limit, u8 access, u8 flags);
void set_gate(u32 vector, const void *handler, u32 dpl);
void load_tables(void); // own GDT, TSS and IDT, all vectors to `broken`; reads CPUID
extern u8 kernel_stack[16384];
