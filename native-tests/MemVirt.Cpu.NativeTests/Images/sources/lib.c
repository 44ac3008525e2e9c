#include "lib.h"

extern u32 multiboot_information;
struct features features;

// ---- console

static void put_char(char c)
{
    while (!(in8(0x3FD) & 0x20)) { }
    out8(0x3F8, (u8)c);
}

static void put_number(u64 value, u32 base, u32 width, char pad)
{
    char digits[24];
    u32 n = 0;
    do {
        // Two 32-bit divisions: no compiler library is linked.
        u32 high = (u32)(value >> 32), low = (u32)value, rest = high % base, quotient;
        __asm__("divl %4" : "=a"(quotient), "=d"(rest) : "a"(low), "d"(rest), "rm"(base));
        value = (u64)(high / base) << 32 | quotient;
        digits[n++] = "0123456789abcdef"[rest];
    } while (value);
    while (n < width && n < sizeof digits) digits[n++] = pad;
    while (n) put_char(digits[--n]);
}

void put(const char *format, ...)
{
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') { put_char(*format); continue; }
        char pad = ' ';
        u32 width = 0;
        if (*++format == '0') pad = '0';
        while (*format >= '0' && *format <= '9') width = width * 10 + (u32)(*format++ - '0');
        switch (*format) {
            case 's': for (const char *s = __builtin_va_arg(arguments, const char *); *s && *s != ' '; s++) put_char(*s); break;
            case 'c': put_char((char)__builtin_va_arg(arguments, int)); break;
            case 'u': put_number(__builtin_va_arg(arguments, u32), 10, width, pad); break;
            case 'x': put_number(__builtin_va_arg(arguments, u32), 16, width, pad); break;
            case 'U': put_number(__builtin_va_arg(arguments, u64), 10, width, pad); break;
            case 'X': put_number(__builtin_va_arg(arguments, u64), 16, width, pad); break;
            case 'd': {
                int value = __builtin_va_arg(arguments, int);
                if (value < 0) { put_char('-'); value = -value; }
                put_number((u64)(u32)value, 10, width, pad);
                break;
            }
        }
    }
    __builtin_va_end(arguments);
}

void finish(u32 value)
{
    put("| exit %x\n", value);
    out32(0xF4, value);
    for (;;) __asm__ volatile("cli; hlt");
}

// ---- command line

const char *option(const char *name)
{
    const u32 *information = (const u32 *)(uptr)multiboot_information;
    if (!information || !(information[0] & 4)) return 0;
    const char *line = (const char *)(uptr)information[4];
    while (*line) {
        while (*line == ' ') line++;
        const char *n = name;
        while (*n && *line == *n) line++, n++;
        if (!*n && *line == '=') return line + 1;
        if (!*n && (*line == ' ' || !*line)) return "";
        while (*line && *line != ' ') line++;
    }
    return 0;
}

u64 option_number(const char *name, u64 otherwise)
{
    const char *text = option(name);
    if (!text || !*text) return otherwise;
    u64 value = 0;
    if (text[0] == '0' && text[1] == 'x') {
        for (text += 2; *text && *text != ' '; text++) value = value << 4 | (u64)(*text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10);
        return value;
    }
    for (; *text >= '0' && *text <= '9'; text++) value = value * 10 + (u64)(*text - '0');
    return value;
}

int option_lists(const char *name, const char *word)
{
    const char *list = option(name);
    if (!list) return 1;
    while (*list && *list != ' ') {
        const char *w = word;
        while (*w && *list == *w) list++, w++;
        if (!*w && (!*list || *list == ' ' || *list == ',')) return 1;
        while (*list && *list != ' ' && *list != ',') list++;
        if (*list == ',') list++;
    }
    return 0;
}

// ---- memory

void *memset(void *to, int value, uptr bytes)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
    return start;
}

void *memcpy(void *to, const void *from, uptr bytes)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
    return start;
}

int same(const char *a, const char *b)
{
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

// ---- descriptor tables

u8 gdt[GDT_BYTES] __attribute__((aligned(16)));
struct tss tss __attribute__((aligned(128)));
struct gate idt[256] __attribute__((aligned(16)));
u8 kernel_stack[16384] __attribute__((aligned(4096)));

void set_descriptor(u32 selector, u32 base, u32 limit, u8 access, u8 flags)
{
    u32 *d = (u32 *)(gdt + (selector & ~7u));
    d[0] = (limit & 0xFFFF) | base << 16;
    d[1] = (base >> 16 & 0xFF) | (u32)access << 8 | (limit & 0xF0000) | (u32)flags << 20 | (base & 0xFF000000);
}

void set_gate(u32 vector, const void *handler, u32 dpl)
{
    uptr offset = (uptr)handler;
    struct gate g = { 0 };
    g.offset0 = (u16)offset;
    g.selector = KERNEL_CODE;
    g.type = (u8)(0x8E | dpl << 5);
    g.offset1 = (u16)(offset >> 16);
    idt[vector] = g;
}

static void __attribute__((noreturn, used)) broken_report(uptr vector, const uptr *stack)
{
    put("broken: unexpected vector %u, stack %X %X %X %X, cr2 %X\n", (u32)vector, (u64)stack[0], (u64)stack[1], (u64)stack[2],
        (u64)stack[3], (u64)read_cr2());
    finish(EXIT_BROKEN);
}

// 32 entries of 16 bytes: the vector's number, then the report.
__asm__(
    ".text\n.align 16\n.globl broken_entries\nbroken_entries:\n"
    ".set vector, 0\n"
    ".rept 32\n.align 16\n"
#ifdef __x86_64__
    "mov $vector, %edi\nmov %rsp, %rsi\n"
#else
    "mov %esp, %eax\npush %eax\npush $vector\n"
#endif
    "jmp broken_common\n"
    ".set vector, vector + 1\n.endr\n"
    "broken_common:\n"
#ifdef __x86_64__
    "and $-16, %rsp\n"
#endif
    "call broken_report\n");
extern u8 broken_entries[];

static void read_features(void)
{
    struct cpuid basic = cpuid(1, 0), structured = { 0 }, extended = { 0 }, sizes = { 0 };
    if (cpuid(0, 0).a >= 7) structured = cpuid(7, 0);
    u32 top = cpuid(0x80000000u, 0).a;
    if (top >= 0x80000001u) extended = cpuid(0x80000001u, 0);
    if (top >= 0x80000008u) sizes = cpuid(0x80000008u, 0);
    features.pse = basic.d >> 3 & 1;
    features.pae = basic.d >> 6 & 1;
    features.pge = basic.d >> 13 & 1;
    features.pse36 = basic.d >> 17 & 1;
    features.sysenter = basic.d >> 11 & 1;
    features.sse = basic.d >> 25 & 1;
    features.pcid = basic.c >> 17 & 1;
    features.smep = structured.b >> 7 & 1;
    features.invpcid = structured.b >> 10 & 1;
    features.smap = structured.b >> 20 & 1;
    features.pku = structured.c >> 3 & 1;
    features.nx = extended.d >> 20 & 1;
    features.page1g = extended.d >> 26 & 1;
    features.syscall = extended.d >> 11 & 1;
    features.physical_bits = sizes.a ? (u8)sizes.a : features.pae && features.pse36 ? 36 : 32;
}

void load_tables(void)
{
    read_features();
    out8(0x3F9, 0);
    out8(0x3FB, 0x80);
    out8(0x3F8, 1);
    out8(0x3F9, 0);
    out8(0x3FB, 3);

    int wide = sizeof(void *) == 8;
    set_descriptor(KERNEL_CODE, 0, 0xFFFFF, 0x9B, wide ? 0xA : 0xC);
    set_descriptor(KERNEL_DATA, 0, 0xFFFFF, 0x93, 0xC);
    set_descriptor(USER_CODE32, 0, 0xFFFFF, 0xFB, 0xC);
    set_descriptor(USER_DATA, 0, 0xFFFFF, 0xF3, 0xC);
    set_descriptor(0x28, 0, 0xFFFFF, 0xFB, wide ? 0xA : 0xC);
    set_descriptor(0x30, 0, 0xFFFFF, 0xF3, 0xC);
    set_descriptor(TASK, (u32)(uptr)&tss, sizeof tss - 1, 0x89, 0);
    tss.io_map = sizeof tss;
#ifdef __x86_64__
    tss.rsp[0] = (uptr)kernel_stack + sizeof kernel_stack;
#else
    tss.esp0 = (uptr)kernel_stack + sizeof kernel_stack;
    tss.ss0 = KERNEL_DATA;
#endif
    for (u32 vector = 0; vector < 32; vector++) set_gate(vector, broken_entries + 16 * vector, 0);
    struct { u16 limit; uptr base; } __attribute__((packed)) pointer = { GDT_BYTES - 1, (uptr)gdt };
    __asm__ volatile("lgdt %0" ::"m"(pointer) : "memory");
    pointer.limit = sizeof idt - 1;
    pointer.base = (uptr)idt;
    __asm__ volatile("lidt %0" ::"m"(pointer) : "memory");
    // In 32-bit images data segments stay usable at privilege level 3.
    __asm__ volatile("mov %w0, %%ds; mov %w0, %%es; mov %w0, %%fs; mov %w0, %%gs" ::"r"(USER_DATA) : "memory");
    __asm__ volatile("mov %w0, %%ss" ::"r"(KERNEL_DATA) : "memory");
    __asm__ volatile("ltr %w0" ::"r"(TASK) : "memory");
}
