// Entries of all 256 vectors, and the way into a case and out of it.
    .text
    .globl trap_entries
    .balign 16
trap_entries:
    vector = 0
    .rept 256
    .balign 16
    .if (vector != 8) && ((vector < 10) || (vector > 14)) && (vector != 17) && (vector != 21)
    push $0
    .endif
    push $vector
    jmp trap_common
    vector = vector + 1
    .endr

#ifdef __x86_64__
trap_common:
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    mov %ss, %eax
    push %rax
    pushfq
    mov %rsp, %rdi
    cld
    push $2
    popfq
    mov $resume_stack_top, %esp
    call trap
    mov resume_sp, %rsp
    mov $0x10, %eax
    mov %eax, %ss
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .globl run_case
run_case:                               // RDI = start, RSI = level, RDX = flags
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, resume_sp
    test %esi, %esi
    jnz 1f
    push $0x10
    push $same_stack + 4096 - 8         // not a multiple of 16: delivery aligns it
    push %rdx
    push $0x08
    push %rdi
    iretq
1:  push $0x23
    push $user_stack + 4096 - 8
    push %rdx
    push $0x2B
    push %rdi
    iretq
#else
trap_common:
    pushal
    xorl %eax, %eax
    movw %ss, %ax
    pushl %eax
    pushfl
    movw $0x23, %ax
    movw %ax, %ds
    movw %ax, %es
    movl %esp, %ebx
    cld
    pushl $2
    popfl
    movw $0x10, %ax
    movw %ax, %ss
    movl $resume_stack_top, %esp
    pushl %ebx
    call trap
    movl resume_sp, %esp
    popl %edi
    popl %esi
    popl %ebp
    popl %ebx
    ret

    .globl run_case
run_case:                               // start, level, flags on the stack
    pushl %ebx
    pushl %ebp
    pushl %esi
    pushl %edi
    movl 20(%esp), %eax
    movl 24(%esp), %ecx
    movl 28(%esp), %edx
    movl %esp, resume_sp
    testl %ecx, %ecx
    jnz 1f
    movl $same_stack + 4096, %esp
    pushl %edx
    pushl $0x08
    pushl %eax
    iretl
1:  pushl $0x23
    pushl $user_stack + 4096
    pushl %edx
    pushl $0x1B
    pushl %eax
    iretl
#endif

    .bss
    .balign 16
    .skip 8192
resume_stack_top:
resume_sp: .skip 8
    .section .note.GNU-stack, "", @progbits
