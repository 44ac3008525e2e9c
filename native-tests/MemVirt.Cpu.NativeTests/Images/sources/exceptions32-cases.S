// 32-bit protected mode, with segmentation that is really used.
#include "exceptions-case.inc"
NONE = 0x40001000                       // pages that exceptions32.c maps: absent,
READ_ONLY = 0x40002000
SUPERVISOR = 0x40003000
CALL_GATE = 0x60                        // two parameters; 0x68: of level 0; 0x70: not present
NOT_PRESENT_DATA = 0x80
NOT_PRESENT_CODE = 0x88
CONFORMING_CODE = 0x90
SMALL_DATA = 0x98                       // 4 KiB from `small_segment`
EXPAND_DOWN = 0xA0                      // from 0x1000 up, based at `small_segment`
READ_ONLY_DATA = 0xA8
EXECUTE_ONLY = 0xB0
OTHER_TASK = 0xB8
NOT_PRESENT_TASK = 0xC0
TASK_GATE = 0xC8
    .text

// ---- #DE, #DB, #BP, #OF, #BR, #UD
BEGIN; xorl %ecx, %ecx; xorl %edx, %edx; movl $1, %eax
9:  divl %ecx
CASE de-div-by-zero-user, 3, 0
BEGIN; movb $3, %al
9:  aam $0
CASE de-aam-zero-user, 3, 0
BEGIN; 9: nop
    nop
CASE db-single-step-user, 3, 1, distance=1, flags=0x102, cr2=0x4000
BEGIN; movw %ss, %ax
    push $0x102
    popfl
    movw %ax, %ss                       // no trap between this and the next one
    nop
9:  nop
CASE db-held-back-by-mov-ss-user, 3, 1, distance=0, cr2=0x4000
BEGIN; 9: .byte 0xF1
CASE db-icebp-user, 3, 1, distance=1
BEGIN; 9: int3
CASE bp-user, 3, 3, distance=1
BEGIN; 9: int3
CASE bp-gate-of-level-0-user, 3, 13, 0x1A, prepare=prepare_breakpoint_gate
BEGIN; movb $127, %al
    addb $1, %al
9:  into
CASE of-user, 3, 4, distance=1
BEGIN; xorl %eax, %eax
    into
COMPLETES
CASE into-without-overflow-user, 3, 0x81, distance=2, value=0
BEGIN; movb $127, %al
    addb $1, %al
9:  into
CASE of-gate-of-level-0-user, 3, 13, 0x22, prepare=prepare_overflow_gate
BEGIN; movl $10, %eax
9:  boundl %eax, bounds
CASE br-above-user, 3, 5
BEGIN; movl $-6, %eax
9:  boundl %eax, bounds
CASE br-below-user, 3, 5
BEGIN; movl $9, %eax
    boundl %eax, bounds
COMPLETES
CASE bound-inside-user, 3, 0x81, distance=2, value=9
BEGIN; 9: ud2
CASE ud-ud2-user, 3, 6
BEGIN; 9: .byte 0xF0, 0x90
CASE ud-lock-nop-user, 3, 6
BEGIN; 9: .byte 0x8E, 0xC8
CASE ud-mov-to-cs, 0, 6
BEGIN; 9: .byte 0xC5, 0xC0
CASE ud-lds-of-register-user, 3, 6, prepare=prepare_no_avx

// ---- #NM, #MF, #XM, #AC
BEGIN; 9: fnop
CASE nm-ts-user, 3, 7, prepare=prepare_task_switched
BEGIN; 9: fwait
CASE nm-wait-ts-mp-user, 3, 7, prepare=prepare_task_switched
BEGIN; fninit
    push $0x37B
    fldcw (%esp)
    fld1
    fldz
    fdivrp
9:  fwait
CASE mf-zero-divide-user, 3, 16
BEGIN; 9: movl 1(%esp), %eax
CASE ac-read-user, 3, 17, flags=0x40002, prepare=prepare_alignment_mask

// ---- #DF, gates
BEGIN; 9: hlt
CASE df-gp-gate-absent-user, 3, 8, distance=-1, prepare=prepare_gp_absent
BEGIN; movl $NONE, %eax
9:  movb (%eax), %al
CASE df-pf-gate-absent, 0, 8, distance=-1, prepare=prepare_pf_absent
BEGIN; 9: int $0x40
CASE int-gate-of-level-0-user, 3, 13, 0x202
BEGIN; 9: int $0x41
CASE int-gate-not-present-user, 3, 11, 0x20A, prepare=prepare_gate_absent
BEGIN; 9: int $0x41
CASE int-beyond-idt-limit-user, 3, 13, 0x20A, prepare=prepare_short_idt
BEGIN; 9: int $0x42
CASE int-gate-selector-null-user, 3, 13, 0, prepare=prepare_gate_null
BEGIN; 9: int $0x42
CASE int-gate-to-data-user, 3, 13, 0x10, prepare=prepare_gate_data
BEGIN; 9: int $0x42
CASE int-gate-to-code-not-present-user, 3, 11, NOT_PRESENT_CODE, prepare=prepare_gate_code_absent
BEGIN; 9: int $0x42
CASE int-trap-gate-keeps-if-user, 3, 0x42, distance=2, prepare=prepare_trap_gate
BEGIN; 9: ud2
CASE np-of-ud-gate-absent, 0, 11, 0x33, prepare=prepare_ud_absent

// ---- stack switch
// #TS and #SS cannot be handled at level 0 here: their gates lead to conforming code, which stays at level 3, mends the TSS and
// tells what it saw: the vector and error code in EAX, the saved EIP in ECX.
BEGIN; 9: int $0x42
CASE ts-ss0-null-user, 3, 0x81, distance=2, at=broken_stack_told, value=0xA0000, count=9b, prepare=prepare_ss0_null
BEGIN; 9: int $0x42
CASE ts-ss0-of-level-3-user, 3, 0x81, distance=2, at=broken_stack_told, value=0xA0020, count=9b, prepare=prepare_ss0_user
BEGIN; 9: int $0x42
CASE ts-ss0-is-code-user, 3, 0x81, distance=2, at=broken_stack_told, value=0xA0008, count=9b, prepare=prepare_ss0_code
BEGIN; 9: int $0x42
CASE ss-ss0-not-present-user, 3, 0x81, distance=2, at=broken_stack_told, value=0xC0000+NOT_PRESENT_DATA, count=9b, prepare=prepare_ss0_absent
BEGIN; 9: ud2
CASE ts-ext-ss0-null-user, 3, 0x81, distance=2, at=broken_stack_told, value=0xA0001, count=9b, prepare=prepare_ss0_null

// ---- segments
BEGIN; movl $SMALL_DATA + 3, %eax
    movw %ax, %fs
9:  movb %fs:0x1000, %al
CASE gp-beyond-limit-user, 3, 13
BEGIN; movl $SMALL_DATA + 3, %eax
    movw %ax, %fs
9:  movl %fs:0xFFD, %eax
CASE gp-across-limit-user, 3, 13
BEGIN; movl $SMALL_DATA + 3, %eax
    movw %ax, %fs
    movl %fs:0xFFC, %eax
COMPLETES
CASE up-to-limit-user, 3, 0x81, distance=2, value=0x5A5A5A5A
BEGIN; movl $SMALL_DATA + 3, %eax
    movl %esp, %ebx
    movw %ss, %cx
    movw %ax, %ss
    movl $0x2000, %ebp
9:  movb (%ebp), %al
CASE ss-beyond-limit-user, 3, 12
BEGIN; movl $SMALL_DATA + 3, %eax
    movw %ax, %ss
    movl $2, %esp
9:  pushl %eax
CASE ss-push-beyond-limit-user, 3, 12
BEGIN; movl $EXPAND_DOWN + 3, %eax
    movw %ax, %fs
9:  movb %fs:0xFFF, %al
CASE gp-expand-down-below-user, 3, 13
BEGIN; movl $EXPAND_DOWN + 3, %eax
    movw %ax, %fs
    xorl %eax, %eax
    movb %fs:0x1000, %al
COMPLETES
CASE expand-down-above-user, 3, 0x81, distance=2, value=0x5B
BEGIN; movl $READ_ONLY_DATA + 3, %eax
    movw %ax, %fs
9:  movb %al, %fs:0
CASE gp-write-read-only-data-user, 3, 13
BEGIN; movl $EXECUTE_ONLY + 3, %eax
9:  movw %ax, %fs
CASE gp-load-execute-only-user, 3, 13, EXECUTE_ONLY
BEGIN; 9: movb %al, %cs:user_stack
CASE gp-write-code-user, 3, 13
BEGIN; xorl %eax, %eax
    movw %ax, %fs
9:  movb %fs:0, %al
CASE gp-null-segment-user, 3, 13
BEGIN; movl $NOT_PRESENT_DATA + 3, %eax
9:  movw %ax, %ds
CASE np-mov-ds-user, 3, 11, NOT_PRESENT_DATA
BEGIN; movl $NOT_PRESENT_DATA + 3, %eax
9:  movw %ax, %ss
CASE ss-mov-ss-not-present-user, 3, 12, NOT_PRESENT_DATA
BEGIN; movl $0x10, %eax
9:  movw %ax, %es
CASE gp-mov-es-level-0-data-user, 3, 13, 0x10
BEGIN; xorl %eax, %eax
9:  movw %ax, %ss
CASE gp-mov-ss-null, 0, 13
BEGIN; movl $READ_ONLY_DATA + 3, %eax
9:  movw %ax, %ss
CASE gp-mov-ss-read-only-user, 3, 13, READ_ONLY_DATA
BEGIN; movl $0x38, %eax
9:  ltr %ax
CASE gp-ltr-busy, 0, 13, 0x38
BEGIN; movl $NOT_PRESENT_TASK, %eax
9:  ltr %ax
CASE np-ltr-not-present, 0, 11, NOT_PRESENT_TASK
BEGIN; xorl %eax, %eax
    movl $0x20, %ecx
    movl $3, %edx
    arpl %dx, %cx
    movw %cx, %ax
COMPLETES
CASE arpl-user, 3, 0x81, distance=2, value=0x23
BEGIN; xorl %eax, %eax
    movw $0x10, %cx
    verr %cx
    setz %al
    movw $0x23, %cx
    verw %cx
    setz %ah
COMPLETES
CASE verr-verw-user, 3, 0x81, distance=2, value=0x100

// ---- far transfers
BEGIN; push $0x22222222
    push $0x11111111
    movl %esp, %ebx
    lcall $CALL_GATE + 3, $0
    subl %ebx, %esp                     // LRET 8 drops both copies of the parameters
    addl %esp, %eax
    movl $user_stack + 4096, %esp
COMPLETES
CASE call-gate-copies-parameters-user, 3, 0x81, distance=2, value=0x33333343
BEGIN; 9: lcall $0x6B, $0
CASE gp-call-gate-of-level-0-user, 3, 13, 0x68
BEGIN; 9: lcall $0x73, $0
CASE np-call-gate-not-present-user, 3, 11, 0x70
BEGIN; 9: ljmp $CALL_GATE + 3, $0
CASE gp-jump-through-gate-inward-user, 3, 13, 8
BEGIN; 9: lcall $8, $call_gate_target
CASE gp-far-call-level-0-code-user, 3, 13, 8
BEGIN; 9: ljmp $NOT_PRESENT_CODE + 3, $0
CASE np-far-jump-not-present-user, 3, 11, NOT_PRESENT_CODE
BEGIN; 9: ljmp $0x23, $0
CASE gp-far-jump-data-user, 3, 13, 0x20
BEGIN; 9: ljmp $3, $0
CASE gp-far-jump-null-user, 3, 13
BEGIN; ljmp $CONFORMING_CODE, $1f
1:  movl %cs, %eax
COMPLETES
CASE far-jump-conforming-user, 3, 0x81, distance=2, value=CONFORMING_CODE+3
BEGIN; push $0x23
    push $user_stack + 4096
    push $0x1B
    push $1f
    lretl
1:  movl %cs, %eax
COMPLETES
CASE far-return-to-user, 0, 0x81, distance=2, value=0x1B, stack=2
BEGIN; push $8
    push $1f
9:  lretl
1:
CASE gp-far-return-inward-user, 3, 13, 8
BEGIN; movl $0x10, %eax
    movw %ax, %es
    push $0x23
    push $user_stack + 4096
    push $0x3202
    push $0x1B
    push $1f
    iretl
1:  movl %es, %eax
COMPLETES
CASE iret-to-user-nulls-data-segments, 0, 0x81, distance=2, value=0, stack=2
BEGIN; movl %esp, %ebx
    push $2
    push $8
    push $1f
    iretl
1:  xorl %eax, %eax
    cmpl %esp, %ebx
    sete %al
COMPLETES
CASE iret-same-level-keeps-stack, 0, 0x81, distance=2, value=1
BEGIN; push $0; push $0; push $2; push $0x1B; push $0
9:  iretl
CASE gp-iret-ss-null-to-user, 0, 13
BEGIN; push $2; push $0x10; push $0
9:  iretl
CASE gp-iret-cs-is-data, 0, 13, 0x10
BEGIN; push $2; push $NOT_PRESENT_CODE + 3; push $0
9:  iretl
CASE np-iret-cs-not-present-user, 3, 11, NOT_PRESENT_CODE
BEGIN; push $2; push $8; push $0
9:  iretl
CASE gp-iret-inward-user, 3, 13, 8

// ---- task switches
BEGIN; lcall $OTHER_TASK, $0
    COMPLETES
CASE task-call-and-iret, 0, 0x81, distance=2, value=0x7A5C, prepare=prepare_other_task
BEGIN; lcall $TASK_GATE + 3, $0
    COMPLETES
CASE task-gate-call-and-iret-user, 3, 0x81, distance=2, value=0x7A5C, prepare=prepare_other_task
BEGIN; 9: lcall $OTHER_TASK, $0
CASE gp-task-of-level-0-user, 3, 13, OTHER_TASK, prepare=prepare_other_task
BEGIN; 9: lcall $NOT_PRESENT_TASK, $0
CASE np-task-not-present, 0, 11, NOT_PRESENT_TASK
BEGIN; push $0x4002; popfl
9:  iretl
CASE ts-iret-link-null, 0, 10, 0

// ---- #GP: privilege and values
BEGIN; 9: hlt
CASE gp-hlt-user, 3, 13
BEGIN; 9: cli
CASE gp-cli-user, 3, 13
BEGIN; 9: inb $0x80, %al
CASE gp-in-user, 3, 13
BEGIN; 9: movl %cr0, %eax
CASE gp-mov-from-cr0-user, 3, 13
BEGIN; 9: invlpg (%esp)
CASE gp-invlpg-user, 3, 13
BEGIN; push $0x3202
    popfl
    pushfl
    pop %eax
    andl $0x3200, %eax
COMPLETES
CASE popf-keeps-if-and-iopl-user, 3, 0x81, distance=2, value=0
BEGIN; 9: .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
CASE gp-16-byte-instruction-user, 3, 13

// ---- #PF
BEGIN; movl $NONE, %eax
9:  movb (%eax), %al
CASE pf-read-user, 3, 14, 4, cr2=NONE
BEGIN; movl $NONE + 5, %eax
9:  movb %al, (%eax)
CASE pf-write, 0, 14, 2, cr2=NONE+5
BEGIN; movl $READ_ONLY, %eax
9:  movb %al, (%eax)
CASE pf-write-read-only-user, 3, 14, 7, cr2=READ_ONLY
BEGIN; movl $READ_ONLY, %eax
9:  movb %al, (%eax)
CASE pf-write-read-only-wp, 0, 14, 3, cr2=READ_ONLY, prepare=prepare_write_protect
BEGIN; movl $READ_ONLY, %eax
    movb %al, (%eax)
    xorl %eax, %eax
COMPLETES
CASE write-read-only-without-wp, 0, 0x81, distance=2, value=0
BEGIN; movl $SUPERVISOR, %eax
9:  movb (%eax), %al
CASE pf-read-supervisor-user, 3, 14, 5, cr2=SUPERVISOR
BEGIN; movl $NONE - 2, %eax
9:  movl %eax, (%eax)
CASE pf-write-across-pages-user, 3, 14, 6, cr2=NONE
BEGIN; movl $NONE, %eax
    jmp *%eax
CASE pf-fetch-user, 3, 14, 4, cr2=NONE, at=NONE
BEGIN; movl $NONE + 0x1000, %esp
9:  pushl %eax
CASE pf-push-user, 3, 14, 6, cr2=NONE+0xFFC
BEGIN; movl $NONE - 4, %edi
    movl $8, %ecx
    xorl %eax, %eax
    cld
9:  rep stosb
CASE pf-rep-stosb-user, 3, 14, 6, cr2=NONE, count=4

// ---- SYSENTER, SYSEXIT
BEGIN; sysenter
1:  hlt
2:  movl %cs, %eax
    movl %ss, %edx
    shll $16, %edx
    orl %edx, %eax
COMPLETES
    .pushsection .rodata
    .globl sysenter_case_target
sysenter_case_target: .long 2b
    .popsection
CASE sysenter-user, 3, 0x81, distance=2, value=0x100008, stack=1, prepare=prepare_sysenter
BEGIN; movl $1f, %edx
    movl $user_stack + 4096, %ecx
    sysexit
1:  movl %cs, %eax
    movl %ss, %edx
    shll $16, %edx
    orl %edx, %eax
COMPLETES
CASE sysexit, 0, 0x81, distance=2, value=0x23001B, stack=2, prepare=prepare_sysenter
BEGIN; 9: sysenter
CASE gp-sysenter-cs-null-user, 3, 13, prepare=prepare_sysenter_null
BEGIN; 9: sysexit
CASE gp-sysexit-user, 3, 13, prepare=prepare_sysenter

    .text
    .globl call_gate_target, other_task_entry
call_gate_target:                       // SS:ESP of the caller, two parameters, CS:EIP
    movl 8(%esp), %eax
    addl 12(%esp), %eax
    movl 16(%esp), %ecx                 // the caller's ESP
    cmpl %ebx, %ecx
    je 1f
    xorl %eax, %eax
1:  addl $8, %eax
    lretl $8
other_task_entry:                       // returns what it was started with, through the caller's TSS
    movl other_task_returns_to, %ecx
    movl $0x7A5C, (%ecx)
    iretl
    .globl told_ts, told_ss
told_ts:
    movl $0xA0000, %eax
    jmp 1f
told_ss:
    movl $0xC0000, %eax
1:  orl (%esp), %eax
    movl 4(%esp), %ecx
    movw $0x10, task_state + 8
broken_stack_told:
    int $0x81
    .data
    .globl other_task_returns_to
other_task_returns_to: .long 0
bounds: .long -5, 9
    .section .note.GNU-stack, "", @progbits
