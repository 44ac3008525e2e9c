// Entry from a multiboot-1 loader: 32-bit protected mode, paging off, EBX = multiboot information.
// The 64-bit images go on to long mode on an identity map of 4 GiB in 2 MiB pages.
    .section .multiboot, "a"
    .align 4
    .long 0x1BADB002, 0, -0x1BADB002

    .text
    .code32
    .globl _start
_start:
    cli
    cld
    movl $boot_stack_top, %esp
    movl %ebx, multiboot_information
    lgdt boot_gdt_pointer
#ifdef __x86_64__
    ljmp $0x18, $1f
#else
    ljmp $0x08, $1f
#endif
1:  movw $0x10, %cx
    movw %cx, %ds
    movw %cx, %es
    movw %cx, %fs
    movw %cx, %gs
    movw %cx, %ss
    movl %cr0, %eax                     // no x87 trap, native errors, no alignment check, WP off
    andl $~((1 << 16) | (1 << 18) | (1 << 2) | (1 << 3)), %eax
    orl $(1 << 5) | (1 << 1), %eax
    movl %eax, %cr0
#ifdef __x86_64__
    movl $boot_pml4, %edi
    movl $boot_pdpt + 3, boot_pml4
    movl $boot_pd + 3, %eax
    xorl %ecx, %ecx
2:  movl %eax, boot_pdpt(,%ecx,8)
    addl $4096, %eax
    incl %ecx
    cmpl $4, %ecx
    jb 2b
    movl $0x83, %eax
    xorl %ecx, %ecx
3:  movl %eax, boot_pd(,%ecx,8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $2048, %ecx
    jb 3b
    movl %cr4, %eax
    orl $1 << 5, %eax
    movl %eax, %cr4
    movl %edi, %cr3
    movl $0xC0000080, %ecx
    rdmsr
    orl $1 << 8, %eax
    wrmsr
    movl %cr0, %eax
    orl $1 << 31, %eax
    movl %eax, %cr0
    ljmp $0x08, $4f
    .code64
4:  xorl %eax, %eax
    movl $boot_stack_top, %esp
#endif
    call image_main
5:  hlt
    jmp 5b

    .data
    .align 16
boot_gdt:
    .quad 0
#ifdef __x86_64__
    .quad 0x00AF9B000000FFFF
#else
    .quad 0x00CF9B000000FFFF
#endif
    .quad 0x00CF93000000FFFF
    .quad 0x00CF9B000000FFFF
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt
    .long 0
    .globl multiboot_information
multiboot_information:
    .long 0

    .bss
    .align 4096
#ifdef __x86_64__
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd:   .skip 4 * 4096
#endif
    .skip 32768
    .globl boot_stack_top
boot_stack_top:
    .section .note.GNU-stack, "", @progbits
