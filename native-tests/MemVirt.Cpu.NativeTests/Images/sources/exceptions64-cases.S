// 64-bit mode. Error codes of selectors: index | TI << 2 | IDT << 1 | EXT.
#include "exceptions-case.inc"
NONE = 0x8000001000                     // pages that exceptions64.c maps: absent,
READ_ONLY = 0x8000002000
SUPERVISOR = 0x8000003000
NO_EXECUTE = 0x8000004000
HOLE = 0x0000800000000000               // the first address that is not canonical
NOT_PRESENT_DATA = 0x80                 // selectors
NOT_PRESENT_CODE = 0x88
CONFORMING_CODE = 0x90
CODE_LEVEL0_32 = 0x98
CALL_GATE = 0x60                        // a gate of level 0 at 0x70, a TSS that is not present at 0xA0
    .text

// ---- #DE
BEGIN; xorl %ecx, %ecx; xorl %edx, %edx; movl $1, %eax
9:  divl %ecx
CASE de-div-by-zero, 0, 0
BEGIN; xorl %ecx, %ecx; xorl %edx, %edx; movl $1, %eax
9:  divq %rcx
CASE de-div-by-zero-user, 3, 0
BEGIN; movl $0x80000000, %eax; cltd; movl $-1, %ecx
9:  idivl %ecx
CASE de-idiv-overflow-user, 3, 0
BEGIN; movw $0x100, %ax; movb $1, %cl
9:  divb %cl
CASE de-div8-overflow, 0, 0

// ---- #DB
BEGIN; 9: nop
    nop
CASE db-single-step-user, 3, 1, distance=1, flags=0x102, cr2=0x4000
BEGIN; 9: nop
    nop
CASE db-single-step, 0, 1, distance=1, flags=0x102, cr2=0x4000
BEGIN; push $0x102
    popfq
9:  nop
    nop
CASE db-popf-sets-trap-flag, 0, 1, distance=1, cr2=0x4000
BEGIN; push $0x102; popfq
    movl $0x23, %eax                    // the nop is stepped, MOV to DS does not hold anything back
9:  movl %eax, %ds
CASE db-popf-then-mov-user, 3, 1, distance=0, cr2=0x4000
BEGIN; 9: .byte 0xF1
CASE db-icebp-user, 3, 1, distance=1
BEGIN; 9: movq %rax, %dr7
CASE db-general-detect, 0, 1, cr2=0x2000, prepare=prepare_general_detect
BEGIN; movq $0x8000000010, %rax
9:  movl %eax, (%rax)
    nop
CASE db-write-watchpoint-user, 3, 1, distance=2, cr2=1, prepare=prepare_watch
BEGIN; nop
9:  nop
CASE db-breakpoint-user, 3, 1, distance=0, cr2=1, prepare=prepare_breakpoint

// ---- #BP, INT n
BEGIN; 9: int3
CASE bp-user, 3, 3, distance=1
BEGIN; 9: int3
CASE bp, 0, 3, distance=1
BEGIN; 9: int3
CASE bp-gate-of-level-0-user, 3, 13, 0x1A, prepare=prepare_breakpoint_gate
BEGIN; 9: int $0x40
CASE int-gate-of-level-0-user, 3, 13, 0x202
BEGIN; 9: int $0x40
CASE int-same-level, 0, 0x40, distance=2
BEGIN; 9: int $0x41
CASE int-gate-not-present-user, 3, 11, 0x20A, prepare=prepare_gate_absent
BEGIN; 9: int $0x41
CASE int-beyond-idt-limit-user, 3, 13, 0x20A, prepare=prepare_short_idt
BEGIN; 9: int $0x42
CASE int-gate-selector-null-user, 3, 13, 0, prepare=prepare_gate_null
BEGIN; 9: int $0x42
CASE int-gate-to-data-user, 3, 13, 0x10, prepare=prepare_gate_data
BEGIN; 9: int $0x42
CASE int-gate-to-32-bit-code-user, 3, 13, CODE_LEVEL0_32, prepare=prepare_gate_32
BEGIN; 9: int $0x42
CASE int-gate-offset-not-canonical-user, 3, 13, 0, prepare=prepare_gate_hole

// ---- #UD
BEGIN; 9: ud2
CASE ud-ud2-user, 3, 6
BEGIN; 9: .byte 0xCE
CASE ud-into-user, 3, 6
BEGIN; 9: .byte 0x06
CASE ud-push-es, 0, 6
BEGIN; 9: .byte 0x37
CASE ud-aaa-user, 3, 6
BEGIN; 9: .byte 0xF0, 0x90
CASE ud-lock-nop-user, 3, 6
BEGIN; 9: .byte 0xF0, 0x01, 0xC0
CASE ud-lock-add-register-user, 3, 6
BEGIN; 9: .byte 0xF0, 0x39, 0x04, 0x24
CASE ud-lock-cmp-user, 3, 6
BEGIN; 9: .byte 0x8E, 0xC8
CASE ud-mov-to-cs, 0, 6
BEGIN; 9: .byte 0xEA, 0, 0, 0, 0, 8, 0
CASE ud-far-jump-direct-user, 3, 6
BEGIN; 9: .byte 0x9A, 0, 0, 0, 0, 8, 0
CASE ud-far-call-direct-user, 3, 6
BEGIN; 9: .byte 0x0F, 0xFF, 0xC0
CASE ud-ud0-user, 3, 6
BEGIN; 9: .byte 0x0F, 0x20, 0xC8
CASE ud-mov-from-cr1, 0, 6
BEGIN; 9: syscall
CASE ud-syscall-off-user, 3, 6, prepare=prepare_no_syscall

// ---- #NM, #MF, #XM
BEGIN; 9: fnop
CASE nm-ts-user, 3, 7, prepare=prepare_task_switched
BEGIN; 9: fnop
CASE nm-em-user, 3, 7, prepare=prepare_emulate
BEGIN; 9: fwait
CASE nm-wait-ts-mp-user, 3, 7, prepare=prepare_task_switched
BEGIN; 9: movaps %xmm0, %xmm1
CASE nm-sse-ts-user, 3, 7, prepare=prepare_task_switched
BEGIN; 9: movaps %xmm0, %xmm1
CASE ud-sse-em-user, 3, 6, prepare=prepare_emulate
BEGIN; 9: movaps %xmm0, %xmm1
CASE ud-sse-osfxsr-off-user, 3, 6, prepare=prepare_no_osfxsr
BEGIN; fninit
    push $0x37B                         // zero divide is not masked
    fldcw (%rsp)
    fld1
    fldz
    fdivrp                              // noted here,
9:  fwait                               // told here
CASE mf-zero-divide-user, 3, 16
BEGIN; push $0x1D80                     // zero divide is not masked
    ldmxcsr (%rsp)
    xorps %xmm0, %xmm0
    movl $1, %eax
    cvtsi2ss %eax, %xmm1
9:  divss %xmm0, %xmm1
CASE xm-zero-divide-user, 3, 19
BEGIN; push $0x1D80
    ldmxcsr (%rsp)
    xorps %xmm0, %xmm0
    movl $1, %eax
    cvtsi2ss %eax, %xmm1
9:  divss %xmm0, %xmm1
CASE ud-zero-divide-osxmmexcpt-off-user, 3, 6, prepare=prepare_no_osxmmexcpt

// ---- #DF
BEGIN; 9: hlt
CASE df-gp-gate-absent-user, 3, 8, distance=-1, prepare=prepare_gp_absent
BEGIN; 9: hlt
CASE df-gp-gate-absent-ist-user, 3, 8, distance=-1, stack=3, prepare=prepare_gp_absent_ist
BEGIN; movabs $NONE, %rax
9:  movb (%rax), %al
CASE df-pf-gate-absent, 0, 8, cr2=NONE, distance=-1, prepare=prepare_pf_absent
BEGIN; 9: ud2
CASE np-of-ud-gate-absent, 0, 11, 0x33, prepare=prepare_ud_absent
BEGIN; xorl %ecx, %ecx
9:  divl %ecx
CASE df-de-gate-absent, 0, 8, distance=-1, prepare=prepare_de_absent
BEGIN; movabs $NONE + 0x1000, %rsp      // the frame goes to an absent page: #PF, and again for its own frame
9:  int3
CASE df-stack-absent-ist, 0, 8, cr2=0x8000001FF8, distance=-1, stack=3, prepare=prepare_df_ist
BEGIN; 9: int3
CASE pf-level-0-stack-absent-ist-user, 3, 14, 2, cr2=0x8000001FF8, stack=3, prepare=prepare_level0_stack_absent
BEGIN; 9: int3
CASE ss-level-0-stack-not-canonical-ist-user, 3, 12, 0, stack=3, prepare=prepare_level0_stack_hole
BEGIN; 9: ud2
CASE ss-ext-level-0-stack-not-canonical-ist-user, 3, 12, 1, stack=3, prepare=prepare_level0_stack_hole

// ---- stacks of handlers
BEGIN; 9: int3
CASE ist-user, 3, 3, distance=1, stack=3, prepare=prepare_breakpoint_ist
BEGIN; 9: int3
CASE ist, 0, 3, distance=1, stack=3, prepare=prepare_breakpoint_ist
BEGIN; subq $3, %rsp
9:  int3
CASE stack-is-aligned, 0, 3, distance=1
BEGIN; leaq 1f(%rip), %rax
    movq %rsp, %rbx
    pushfq
    popq %rdx
    push $0x10
    push %rbx
    push %rdx
    push $8
    push %rax
    iretq
1:  xorl %eax, %eax
    cmpq %rbx, %rsp
    sete %al
COMPLETES
CASE iret-same-level, 0, 0x81, distance=2, value=1
BEGIN; leaq 1f(%rip), %rax
    push $0x10
    push $1                             // RSP need not be aligned, nor anything
    push $2
    push $8
    push %rax
    iretq
1:  movq %rsp, %rax
    movl $same_stack + 2048, %esp
COMPLETES
CASE iret-same-level-loads-rsp, 0, 0x81, distance=2, value=1
BEGIN; movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    leaq 1f(%rip), %rax
    push $0x23
    push $user_stack + 4096
    push $0x3202
    push $0x2B
    push %rax
    iretq
1:  movl %ds, %eax                      // segments of level 0 are made null
    movl %es, %ecx
    shll $16, %ecx
    orl %ecx, %eax
COMPLETES
CASE iret-to-user-nulls-data-segments, 0, 0x81, distance=2, value=0, stack=2
BEGIN; movl $0x23, %eax
    movl %eax, %ds
    leaq 1f(%rip), %rax
    push $0x23
    push $user_stack + 4096
    push $2
    push $0x2B
    push %rax
    iretq
1:  movl %ds, %eax
COMPLETES
CASE iret-to-user-keeps-user-segments, 0, 0x81, distance=2, value=0x23, stack=2
BEGIN; leaq 1f(%rip), %rax
    push $0x23
    push $user_stack + 4096
    push $2
    push $0x1B
    push %rax
    iretq
    .code32
1:  movl $0x12345678, %eax
    .byte 0x40                          // INC EAX: 32-bit code
COMPLETES
    .code64
CASE iret-to-compatibility-mode, 0, 0x81, distance=2, value=0x12345679, stack=2
BEGIN; push $0x10; push $0; push $0x4002; popfq
9:  iretq
CASE gp-iret-nested-task, 0, 13
BEGIN; leaq same_stack + 2048(%rip), %rsp
    push $0x10
    push %rsp
    push $2
    push $8
    movabs $HOLE, %rax
    push %rax
9:  iretq
CASE gp-iret-rip-not-canonical, 0, 13
BEGIN; push $0x10; push %rsp; push $2; push $0; push %rax
9:  iretq
CASE gp-iret-cs-null, 0, 13
BEGIN; push $0x10; push %rsp; push $2; push $0x10; push %rax
9:  iretq
CASE gp-iret-cs-is-data, 0, 13, 0x10
BEGIN; push $0x23; push %rsp; push $2; push $NOT_PRESENT_CODE + 3; push %rax
9:  iretq
CASE np-iret-cs-not-present, 0, 11, NOT_PRESENT_CODE
BEGIN; push $0x10; push %rsp; push $2; push $0x2B; push %rax
9:  iretq
CASE gp-iret-ss-of-other-level, 0, 13, 0x10
BEGIN; push $0; push %rsp; push $2; push $0x2B; push %rax
9:  iretq
CASE gp-iret-ss-null-to-user, 0, 13
BEGIN; push $0x10; push %rsp; push $2; push $0x08; push %rax
9:  iretq
CASE gp-iret-inward-user, 3, 13, 0x08

// ---- segment loads
BEGIN; movl $NOT_PRESENT_DATA, %eax
9:  movl %eax, %ds
CASE np-mov-ds, 0, 11, NOT_PRESENT_DATA
BEGIN; movl $NOT_PRESENT_DATA, %eax
9:  movl %eax, %ss
CASE ss-mov-ss-not-present, 0, 12, NOT_PRESENT_DATA
BEGIN; movl $0x10, %eax
9:  movl %eax, %es
CASE gp-mov-es-level-0-data-user, 3, 13, 0x10
BEGIN; movl $0x2B, %eax
9:  movl %eax, %ss
CASE gp-mov-ss-code-user, 3, 13, 0x28
BEGIN; xorl %eax, %eax
9:  movl %eax, %ss
CASE gp-mov-ss-null-user, 3, 13
BEGIN; movl %ss, %ebx
    xorl %eax, %eax
    movl %eax, %ss
    movl %ss, %eax
    movl %ebx, %ss
COMPLETES
CASE mov-ss-null, 0, 0x81, distance=2, value=0
BEGIN; movl $0x7F8, %eax
9:  movl %eax, %fs
CASE gp-selector-beyond-limit-user, 3, 13, 0x7F8
BEGIN; movl $0x7FF, %eax
9:  movl %eax, %gs
CASE gp-selector-no-ldt-user, 3, 13, 0x7FC
BEGIN; movl $0x38, %eax
9:  movl %eax, %fs
CASE gp-mov-fs-system-segment, 0, 13, 0x38
BEGIN; movl $0x10, %eax
9:  lldt %ax
CASE gp-lldt-of-data, 0, 13, 0x10
BEGIN; movl $0x38, %eax
9:  ltr %ax
CASE gp-ltr-busy, 0, 13, 0x38
BEGIN; movl $0xA0, %eax
9:  ltr %ax
CASE np-ltr-not-present, 0, 11, 0xA0
BEGIN; movl $0x23, %eax
    lsl %ax, %eax
COMPLETES
CASE lsl-user, 3, 0x81, distance=2, value=0xFFFFFFFF
BEGIN; movl $0x1234, %eax
    movl $0x10, %ecx
    lar %cx, %eax                       // not allowed: ZF = 0, the register keeps its value
COMPLETES
CASE lar-level-0-data-user, 3, 0x81, distance=2, value=0x1234

// ---- #GP: privilege
BEGIN; 9: hlt
CASE gp-hlt-user, 3, 13
BEGIN; 9: cli
CASE gp-cli-user, 3, 13
BEGIN; 9: inb $0x80, %al
CASE gp-in-user, 3, 13
BEGIN; inb $0x80, %al
    xorl %eax, %eax
COMPLETES
CASE in-allowed-by-iopl-user, 3, 0x81, distance=2, value=0, flags=0x3002
BEGIN; inb $0x80, %al
    xorl %eax, %eax
COMPLETES
CASE in-allowed-by-bitmap-user, 3, 0x81, distance=2, value=0, prepare=prepare_io_bitmap
BEGIN; 9: inb $0x81, %al
CASE gp-in-refused-by-bitmap-user, 3, 13, prepare=prepare_io_bitmap
BEGIN; 9: inw $0x80, %ax
CASE gp-in16-refused-by-bitmap-user, 3, 13, prepare=prepare_io_bitmap
BEGIN; 9: movq %cr0, %rax
CASE gp-mov-from-cr0-user, 3, 13
BEGIN; 9: movq %dr7, %rax
CASE gp-mov-from-dr7-user, 3, 13
BEGIN; 9: lgdt (%rsp)
CASE gp-lgdt-user, 3, 13
BEGIN; 9: invlpg (%rsp)
CASE gp-invlpg-user, 3, 13
BEGIN; 9: rdmsr
CASE gp-rdmsr-user, 3, 13
BEGIN; 9: swapgs
CASE gp-swapgs-user, 3, 13
BEGIN; 9: sysretq
CASE gp-sysret-user, 3, 13, prepare=prepare_syscall_on
BEGIN; 9: clts
CASE gp-clts-user, 3, 13
BEGIN; 9: wbinvd
CASE gp-wbinvd-user, 3, 13
BEGIN; 9: rdtsc
CASE gp-rdtsc-tsd-user, 3, 13, prepare=prepare_time_stamp_disable
BEGIN; push $0x3202
    popfq                               // at level 3, IOPL 0: neither IF nor IOPL change, and nothing traps
    pushfq
    pop %rax
    andl $0x3200, %eax
COMPLETES
CASE popf-keeps-if-and-iopl-user, 3, 0x81, distance=2, value=0
BEGIN; push $0x4002                     // NT may be set at level 3
    popfq
    pushfq
    pop %rax
    andl $0x4000, %eax
    push $2
    popfq
COMPLETES
CASE popf-sets-nt-user, 3, 0x81, distance=2, value=0x4000

// ---- #GP: values
BEGIN; movq %cr0, %rax
    andq $~1, %rax
9:  movq %rax, %cr0
CASE gp-cr0-pe-off-pg-on, 0, 13
BEGIN; movq %cr0, %rax
    btsq $29, %rax
    btrq $30, %rax
9:  movq %rax, %cr0
CASE gp-cr0-nw-without-cd, 0, 13
BEGIN; movabs $0x100000000, %rax
    movq %cr0, %rcx
    orq %rcx, %rax
9:  movq %rax, %cr0
CASE gp-cr0-high-half, 0, 13
BEGIN; movq %cr4, %rax
    andq $~0x20, %rax
9:  movq %rax, %cr4
CASE gp-cr4-pae-off-in-long-mode, 0, 13
BEGIN; movq %cr4, %rax
    btsq $15, %rax
9:  movq %rax, %cr4
CASE gp-cr4-reserved, 0, 13
BEGIN; movq %cr3, %rax
    btsq $51, %rax
9:  movq %rax, %cr3
CASE gp-cr3-reserved, 0, 13
BEGIN; movl $0xC0000080, %ecx
    rdmsr
    andl $~0x100, %eax
9:  wrmsr
CASE gp-efer-lme-off-while-paging, 0, 13
BEGIN; movl $0xC0000080, %ecx
    rdmsr
    orl $2, %eax
9:  wrmsr
CASE gp-efer-reserved, 0, 13
BEGIN; movl $0xC0000082, %ecx
    xorl %eax, %eax
    movl $0x8000, %edx
9:  wrmsr
CASE gp-lstar-not-canonical, 0, 13
BEGIN; movl $0xC0000100, %ecx
    xorl %eax, %eax
    movl $0x8000, %edx
9:  wrmsr
CASE gp-fs-base-not-canonical, 0, 13
BEGIN; movl $0xC0001234, %ecx
9:  rdmsr
CASE gp-msr-unknown, 0, 13
BEGIN; movabs $0x100000400, %rax
9:  movq %rax, %dr7
CASE gp-dr7-high-half, 0, 13
BEGIN; 9: .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
CASE gp-16-byte-instruction-user, 3, 13
BEGIN; .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
COMPLETES
CASE 15-byte-instruction-user, 3, 0x81, distance=2
BEGIN; 9: movaps 1(%rsp), %xmm0
CASE gp-movaps-misaligned-user, 3, 13

// ---- addresses that are not canonical
BEGIN; movabs $HOLE, %rax
9:  movb (%rax), %al
CASE gp-read-not-canonical-user, 3, 13
BEGIN; movabs $HOLE, %rax
9:  movb %al, (%rax)
CASE gp-write-not-canonical, 0, 13
BEGIN; movabs $HOLE, %rbp
9:  movb (%rbp), %al
CASE ss-read-rbp-not-canonical-user, 3, 12
BEGIN; movabs $HOLE, %rbp
9:  movb %fs:(%rbp), %al
CASE gp-read-fs-rbp-not-canonical-user, 3, 13
BEGIN; movabs $HOLE + 8, %rsp
    movq %rsp, %rax
9:  push %rax
CASE ss-push-not-canonical-user, 3, 12
BEGIN; movabs $HOLE, %rsp
9:  pop %rax
CASE ss-pop-not-canonical-user, 3, 12
BEGIN; movabs $HOLE + 8, %rsp
9:  call 1f
1:
CASE ss-call-stack-not-canonical-user, 3, 12
BEGIN; movabs $HOLE - 1, %rax
9:  movw (%rax), %ax
CASE gp-read-across-the-hole-user, 3, 13
BEGIN; movabs $HOLE, %rax
9:  jmp *%rax
CASE gp-jump-not-canonical-user, 3, 13
BEGIN; movabs $HOLE, %rax
    movq %rsp, %rbx
9:  call *%rax
CASE gp-call-not-canonical-user, 3, 13
BEGIN; movabs $HOLE, %rax
    push %rax
9:  ret
CASE gp-ret-not-canonical-user, 3, 13
BEGIN; movabs $HOLE, %rax
    invlpg (%rax)                       // no fault: it does nothing
    xorl %eax, %eax
COMPLETES
CASE invlpg-not-canonical, 0, 0x81, distance=2, value=0
BEGIN; movabs $HOLE, %rax
    prefetcht0 (%rax)
    lea (%rax), %rax
    xorl %eax, %eax
COMPLETES
CASE prefetch-not-canonical-user, 3, 0x81, distance=2, value=0

// ---- #PF
BEGIN; movabs $NONE, %rax
9:  movb (%rax), %al
CASE pf-read-user, 3, 14, 4, cr2=NONE
BEGIN; movabs $NONE + 5, %rax
9:  movb %al, (%rax)
CASE pf-write, 0, 14, 2, cr2=NONE+5
BEGIN; movabs $READ_ONLY, %rax
9:  movb %al, (%rax)
CASE pf-write-read-only-user, 3, 14, 7, cr2=READ_ONLY
BEGIN; movabs $READ_ONLY, %rax
9:  movb %al, (%rax)
CASE pf-write-read-only-wp, 0, 14, 3, cr2=READ_ONLY, prepare=prepare_write_protect
BEGIN; movabs $SUPERVISOR, %rax
9:  movb (%rax), %al
CASE pf-read-supervisor-user, 3, 14, 5, cr2=SUPERVISOR
BEGIN; movabs $NONE - 2, %rax
9:  movl %eax, (%rax)
CASE pf-write-across-pages-user, 3, 14, 6, cr2=NONE
BEGIN; movabs $NONE - 2, %rax
    movw $0x1111, (%rax)
    movl $0x22222222, %ecx
9:  movl %ecx, (%rax)
CASE pf-write-across-pages-again-user, 3, 14, 6, cr2=NONE
BEGIN; movabs $NONE - 2, %rax
    movzwl (%rax), %eax
COMPLETES
CASE write-across-pages-changed-nothing-user, 3, 0x81, distance=2, value=0x1111
// Whether reading in order to write counts as a write (W in the error code) the manual does not say.
BEGIN; movabs $NONE - 2, %rax
9:  lock; addl $1, (%rax)
CASE pf-lock-across-pages-user, 3, 14, -1, cr2=NONE
BEGIN; movabs $NONE, %rax
9:  addl $1, (%rax)
CASE pf-read-modify-write-user, 3, 14, -1, cr2=NONE
BEGIN; movabs $READ_ONLY, %rax
    xorl %ecx, %ecx
9:  lock; cmpxchgl %ecx, (%rax)
CASE pf-cmpxchg-read-only-user, 3, 14, 7, cr2=READ_ONLY
BEGIN; movabs $NONE - 1, %rax
    movb $0xB8, (%rax)                  // the first byte of MOV EAX, imm32
    jmp *%rax
CASE pf-fetch-across-pages-user, 3, 14, 0x14, cr2=NONE, at=NONE-1, prepare=prepare_no_execute
BEGIN; movabs $NO_EXECUTE, %rax
    jmp *%rax
CASE pf-fetch-no-execute-user, 3, 14, 0x15, cr2=NO_EXECUTE, at=NO_EXECUTE, prepare=prepare_no_execute
BEGIN; movabs $NONE + 8, %rsp
9:  pop %rax
CASE pf-pop-user, 3, 14, 4, cr2=NONE+8
BEGIN; movabs $NONE + 0x1000, %rsp
9:  push %rax
CASE pf-push-user, 3, 14, 6, cr2=NONE+0xFF8
BEGIN; movabs $NONE + 0x1000, %rsp
9:  call 1f
1:
CASE pf-call-stack-user, 3, 14, 6, cr2=NONE+0xFF8
BEGIN; movabs $NONE - 4, %rdi
    movl $8, %ecx
    xorl %eax, %eax
    cld
9:  rep stosb
CASE pf-rep-stosb-user, 3, 14, 6, cr2=NONE, count=4

// ---- far transfers
BEGIN; leaq 1f(%rip), %rax
    push $8
    push %rax
    lretq
1:  movl %cs, %eax
COMPLETES
CASE far-return-same-level, 0, 0x81, distance=2, value=8
BEGIN; leaq 1f(%rip), %rax
    push $0x23
    push $user_stack + 4096
    push $0x2B
    push %rax
    lretq
1:  movl %cs, %eax
COMPLETES
CASE far-return-to-user, 0, 0x81, distance=2, value=0x2B, stack=2
BEGIN; movq %rsp, %rbx
    rex.w lcall *far_same_level(%rip)
1:  subq %rsp, %rbx
    leaq 8(%rbx, %rax), %rax
COMPLETES
CASE far-call-same-level, 0, 0x81, distance=2, value=0x1018
BEGIN; movq %rsp, %rbx
    lcall *far_gate(%rip)               // a call gate: to level 0 and back
1:  cmpq %rbx, %rsp
    jne 2f
    xorl $0x80000000, %eax
2:
COMPLETES
CASE call-gate-user, 3, 0x81, distance=2, value=0x800810A0
BEGIN; 9: lcall *far_gate_level0(%rip)
CASE gp-call-gate-of-level-0-user, 3, 13, 0x70
BEGIN; 9: ljmp *far_gate(%rip)
CASE gp-jump-through-gate-inward-user, 3, 13, 8
BEGIN; 9: lcall *far_code0(%rip)
CASE gp-far-call-level-0-code-user, 3, 13, 8
BEGIN; 9: lcall *far_data(%rip)
CASE gp-far-call-data-user, 3, 13, 0x20
BEGIN; 9: lcall *far_tss(%rip)
CASE gp-far-call-tss, 0, 13, 0x38
BEGIN; 9: lcall *far_null(%rip)
CASE gp-far-call-null-user, 3, 13
BEGIN; ljmp *far_conforming(%rip)
conforming_target:
    movl %cs, %eax
COMPLETES
CASE far-jump-conforming-user, 3, 0x81, distance=2, value=CONFORMING_CODE+3
BEGIN; push $CODE_LEVEL0_32
    leaq 1f(%rip), %rax
    push %rax
    lretq
    .code32
1:  movl $5, %eax
    .byte 0x40                          // INC EAX
    movl %cs, %ecx
    pushl $8
    pushl $2f
    lret
    .code64
2:  shll $16, %ecx
    orl %ecx, %eax
COMPLETES
CASE far-return-to-compatibility-mode-and-back, 0, 0x81, distance=2, value=0x980006

// ---- SYSCALL, SYSRET, SWAPGS, SYSENTER, SYSEXIT
BEGIN; stc
    syscall
1:  hlt
2:  leaq 1b(%rip), %rdx                 // the handler's part: what SYSCALL left
    cmpq %rdx, %rcx
    jne 3f
    testl $1, %r11d
    jz 3f
    movl %cs, %eax
    movl %ss, %edx
    shll $16, %edx
    orl %edx, %eax
    pushfq
    pop %rdx
    testl $0x4700, %edx                 // what SFMASK clears
    jz 4f
3:  xorl %eax, %eax
4:
COMPLETES
    .pushsection .rodata
    .globl syscall_case_target
syscall_case_target: .quad 2b
    .popsection
CASE syscall-user, 3, 0x81, distance=2, value=0x100008, stack=-1, prepare=prepare_syscall, flags=0x4002
BEGIN; leaq 1f(%rip), %rcx
    movl $0x3202, %r11d
    movl $user_stack + 4096, %esp
    sysretq
1:  movl %cs, %eax
    movl %ss, %edx
    shll $16, %edx
    orl %edx, %eax
COMPLETES
CASE sysret64, 0, 0x81, distance=2, value=0x23002B, stack=2, prepare=prepare_syscall_on
BEGIN; leaq 1f(%rip), %rcx
    movl $2, %r11d
    movl $user_stack + 4096, %esp
    sysretl
    .code32
1:  xorl %eax, %eax
    .byte 0x40
    movw %cs, %ax
COMPLETES
    .code64
CASE sysret32, 0, 0x81, distance=2, value=0x1B, stack=2, prepare=prepare_syscall_on
BEGIN; movabs $HOLE, %rcx
    movl $2, %r11d
9:  sysretq
CASE gp-sysret-not-canonical, 0, 13, prepare=prepare_syscall_on
BEGIN; 9: sysretq
CASE ud-sysret-off, 0, 6, prepare=prepare_no_syscall
BEGIN; movl $0xC0000101, %ecx
    movl $0x1111, %eax
    xorl %edx, %edx
    wrmsr
    movl $0xC0000102, %ecx
    movl $0x2222, %eax
    wrmsr
    swapgs
    movl $0xC0000101, %ecx
    rdmsr
    movl %eax, %ebx
    movl $0xC0000102, %ecx
    rdmsr
    shll $16, %eax
    orl %ebx, %eax
COMPLETES
CASE swapgs, 0, 0x81, distance=2, value=0x11112222
BEGIN; sysenter
1:  hlt
2:  movl %cs, %eax
    movl %ss, %edx
    shll $16, %edx
    orl %edx, %eax
COMPLETES
    .pushsection .rodata
    .globl sysenter_case_target
sysenter_case_target: .quad 2b
    .popsection
CASE sysenter-user, 3, 0x81, distance=2, value=0x100008, stack=1, prepare=prepare_sysenter
BEGIN; leaq 1f(%rip), %rdx
    movl $user_stack + 4096, %ecx
    .byte 0x48, 0x0F, 0x35               // SYSEXIT to 64-bit code
1:  movl %cs, %eax
    movl %ss, %edx
    shll $16, %edx
    orl %edx, %eax
COMPLETES
CASE sysexit64, 0, 0x81, distance=2, value=0x33002B, stack=2, prepare=prepare_sysenter
BEGIN; 9: sysenter
CASE gp-sysenter-cs-null-user, 3, 13, prepare=prepare_sysenter_null
BEGIN; 9: .byte 0x0F, 0x35
CASE gp-sysexit-user, 3, 13, prepare=prepare_sysenter

// ---- #AC
BEGIN; 9: movl 1(%rsp), %eax
CASE ac-read-user, 3, 17, flags=0x40002, prepare=prepare_alignment_mask
BEGIN; 9: movl %eax, -3(%rsp)
CASE ac-write-user, 3, 17, flags=0x40002, prepare=prepare_alignment_mask
BEGIN; movl 1(%rsp), %eax
    xorl %eax, %eax
COMPLETES
CASE ac-mask-off-user, 3, 0x81, distance=2, value=0, flags=0x40002
BEGIN; movl 1(%rsp), %eax
    xorl %eax, %eax
COMPLETES
CASE ac-level-0, 0, 0x81, distance=2, value=0, flags=0x40002, prepare=prepare_alignment_mask

// ---- what far transfers go to
    .text
call_gate_target:                       // at level 0, on the stack of the TSS
    .globl call_gate_target
    movl $0x10A0, %eax
    movw %cs, %cx
    shll $16, %ecx
    orl %ecx, %eax
    lretq
same_level_target:
    movl $0x1000, %eax
    addq $0, %rsp
    movq %rbx, %rcx
    subq %rsp, %rcx                     // 16 bytes are on the stack
    addl %ecx, %eax
    lretq
    .data
far_same_level: .quad same_level_target; .word 8
far_gate: .long 0; .word CALL_GATE + 3
far_gate_level0: .long 0; .word 0x70 + 3
far_code0: .long call_gate_target; .word 8
far_data: .long call_gate_target; .word 0x23
far_tss: .long 0; .word 0x38
far_null: .long 0; .word 0
far_conforming: .long conforming_target; .word CONFORMING_CODE + 3
    .section .note.GNU-stack, "", @progbits
