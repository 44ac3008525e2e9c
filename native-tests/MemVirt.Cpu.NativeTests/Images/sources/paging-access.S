// One access of each kind to the page under test. Whatever comes of it, control returns to access_run's caller:
// a completed access by falling through or by INT 0x81, a fault by the handler of vector 14. No IRET comes back.
#include "paging-layout.h"
#ifdef __x86_64__
#define AX %rax
#define DX %rdx
#define SP %rsp
#define WORD .quad
#define SIZE 8
#define IRET iretq
#define KIND %edi
#else
#define AX %eax
#define DX %edx
#define SP %esp
#define WORD .long
#define SIZE 4
#define IRET iretl
#define KIND %eax
#endif
    .text
    .globl access_run
access_run:                             // 64-bit: EDI = kind; 32-bit: regparm, EAX = kind
    mov SP, access_stack
#ifdef __x86_64__
    mov TEST_ADDRESS_IN_MEMORY, DX
    jmp *access_kinds(,%rdi,8)
#else
    mov TEST_ADDRESS_IN_MEMORY, DX
    jmp *access_kinds(,%eax,4)
#endif

    .data
    .align 8
    .globl access_kinds
access_kinds:
    WORD supervisor_read, supervisor_write, supervisor_fetch, supervisor_read_ac, supervisor_write_ac
    WORD go_user_read, go_user_write, go_user_fetch
    WORD implicit_read, implicit_read_ac, go_implicit_read, go_implicit_write
TEST_ADDRESS_IN_MEMORY:
    .globl access_address
access_address: WORD 0
    .globl access_stack, access_vector, access_error, access_cr2, access_value
access_stack: WORD 0
access_cr2: WORD 0
access_vector: .long 0
access_error: .long 0
access_value: .long 0

    .text
.macro alignment_check_on
    push $0x40002
#ifdef __x86_64__
    popfq
#else
    popfl
#endif
.endm

supervisor_read_ac:
    alignment_check_on
supervisor_read:
    movb READ_OFFSET(DX), %al
    jmp access_done
supervisor_write_ac:
    alignment_check_on
supervisor_write:
    movb $WRITTEN, WRITE_OFFSET(DX)
    jmp access_done
supervisor_fetch:
    jmp *DX
implicit_read_ac:
    alignment_check_on
implicit_read:
    movl $ACCESSED_SELECTOR, %eax
    movl %eax, %fs
    jmp access_done

.macro to_user target
    push $0x23
    push $0
    push $2
    push $USER_CODE_SELECTOR
#ifdef __x86_64__
    movabs $USER_ADDRESS + \target - user_code, %rax
    push %rax
#else
    push $USER_ADDRESS + \target - user_code
#endif
    IRET
.endm
go_user_read: to_user user_read
go_user_write: to_user user_write
go_implicit_read: to_user user_implicit_read
go_implicit_write: to_user user_implicit_write
go_user_fetch:
    push $0x23
    push $0
    push $2
    push $USER_CODE_SELECTOR
    push DX
    IRET

    .globl completed_entry
completed_entry:                        // INT 0x81 from the page under test or from the user's page
    movl $0x81, access_vector
    jmp 1f
access_done:
    movl $0, access_vector
1:  movl %eax, access_value
2:  mov access_stack, SP
    push $0
    pop access_stack
    push $2
#ifdef __x86_64__
    popfq
#else
    popfl
#endif
    ret

    .globl page_fault_entry
page_fault_entry:
#ifdef __x86_64__
    cmpq $0, access_stack
#else
    cmpl $0, access_stack
#endif
    je page_fault_broken
    pop AX
    movl %eax, access_error
    mov %cr2, AX
    mov AX, access_cr2
    movl $14, access_vector
    jmp 2b
page_fault_broken:
    jmp *page_fault_otherwise
    .data
    .globl page_fault_otherwise
page_fault_otherwise: WORD 0

    .section .user, "awx", @progbits
    .balign 4096
    .globl user_code
user_code:
user_read:
    movb READ_OFFSET(DX), %al
    int $0x81
user_write:
    movb $WRITTEN, WRITE_OFFSET(DX)
    int $0x81
user_implicit_read:
    movl $(ACCESSED_SELECTOR | 3), %eax
    movl %eax, %fs
    int $0x81
user_implicit_write:
    movl $(CLEAR_SELECTOR | 3), %eax
    movl %eax, %fs
    int $0x81
    .balign 4096
    .section .note.GNU-stack, "", @progbits
