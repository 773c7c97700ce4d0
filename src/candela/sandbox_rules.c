// SPDX-License-Identifier: MIT
/*
 * The allow-list, a row for each call and a word on who needs it. What is not here ends the VM: a
 * change that calls for something new adds it here, with its reason, for the kinds that need it.
 *
 * V: vCPU threads, I: disks' and network interfaces' loops, M: the machine's loop. Opening files by
 * name is for I and M alone (disks and network interfaces that are added to a VM that runs), and
 * Landlock narrows it. No thread may execute a program, or make memory executable.
 */
#include "candela/sandbox_rules.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "vmm/base.h"

#define V   SANDBOX_BIT(SANDBOX_VCPU)
#define I   SANDBOX_BIT(SANDBOX_IO)
#define M   SANDBOX_BIT(SANDBOX_MAIN)
#define VM  (V | M)
#define IM  (I | M)
#define ALL (V | I | M)

#define CALL(kinds_, name)                                                                         \
	{                                                                                          \
		kinds_, SYS_##name, SANDBOX_ANY_ARGUMENT, 0, 0                                     \
	}
#define CALL_IF(kinds_, name, argument_, value_)                                                   \
	{                                                                                          \
		kinds_, SYS_##name, argument_, UINT32_MAX, (uint32_t)(value_)                      \
	}
/* None of @bits in the argument. */
#define CALL_WITHOUT(kinds_, name, argument_, bits)                                                \
	{                                                                                          \
		kinds_, SYS_##name, argument_, (uint32_t)(bits), 0                                 \
	}
/* All of @bits in the argument, and none of @others. */
#define CALL_WITH(kinds_, name, argument_, bits, others)                                           \
	{                                                                                          \
		kinds_, SYS_##name, argument_, (uint32_t)((bits) | (others)), (uint32_t)(bits)     \
	}
#define IOCTL(kinds_, request) CALL_IF(kinds_, ioctl, 1, request)

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define NEW_FLAGS                                                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

const struct sandbox_rule sandbox_rules[] = {
	/* Running the guest. */
	IOCTL(VM, KVM_RUN), /* M: what a stopped VP has pending */
	IOCTL(VM, KVM_GET_REGS),
	IOCTL(VM, KVM_SET_REGS),
	IOCTL(VM, KVM_GET_SREGS),
	IOCTL(VM, KVM_SET_SREGS),
	IOCTL(VM, KVM_GET_MSRS),
	IOCTL(VM, KVM_SET_MSRS),
	IOCTL(VM, KVM_GET_VCPU_EVENTS),
	IOCTL(VM, KVM_SET_VCPU_EVENTS),
	IOCTL(VM, KVM_GET_LAPIC),
	IOCTL(VM, KVM_SET_LAPIC),
	IOCTL(VM, KVM_GET_FPU),
	IOCTL(VM, KVM_SET_MP_STATE),
	IOCTL(VM, KVM_TRANSLATE), /* where a guest that crashed was */
	IOCTL(VM, KVM_GET_CLOCK),
	IOCTL(VM, KVM_ENABLE_CAP),             /* SynIC of a VP that was reset */
	IOCTL(VM, KVM_SET_USER_MEMORY_REGION), /* overlay pages; memory that is added */
	IOCTL(VM, KVM_HYPERV_EVENTFD),
	/* Interrupts and doorbells, from whoever serves the guest. */
	IOCTL(ALL, KVM_IRQ_LINE),
	IOCTL(ALL, KVM_SIGNAL_MSI),
	IOCTL(ALL, KVM_SET_GSI_ROUTING),
	IOCTL(ALL, KVM_IRQFD),
	IOCTL(ALL, KVM_IOEVENTFD),
	/* A reset brings all state back to what it was at power-on. */
	IOCTL(M, KVM_SET_IRQCHIP),
	IOCTL(M, KVM_SET_PIT2),
	IOCTL(M, KVM_SET_XSAVE),
	IOCTL(M, KVM_SET_XCRS),
	IOCTL(M, KVM_SET_DEBUGREGS),
	/* A disk that is added: how its sectors are. */
	IOCTL(IM, BLKSSZGET),
	IOCTL(IM, BLKPBSZGET),
	/* A TAP device, when it is added and when the guest changes what it can do. */
	IOCTL(IM, TUNSETIFF),
	IOCTL(IM, TUNGETIFF),
	IOCTL(IM, TUNSETOFFLOAD),
	IOCTL(IM, TUNSETVNETHDRSZ),
	IOCTL(IM, SIOCGIFINDEX), /* if_nametoindex() */
	IOCTL(IM, SIOCGIFFLAGS),
	IOCTL(IM, SIOCSIFFLAGS),
	IOCTL(IM, SIOCGIFMTU),
	IOCTL(IM, SIOCSIFMTU),
	/* The console's terminal. */
	IOCTL(M, TCGETS),
	IOCTL(M, TCSETS),
	IOCTL(M, TIOCGPGRP),

	/* What is open: event descriptors, the log, images, sockets. */
	CALL(ALL, read),
	CALL(ALL, write),
	CALL(ALL, writev), /* the C library's last words before abort() */
	CALL(ALL, close),
	CALL(ALL, eventfd2),
	CALL(IM, io_uring_enter),
	CALL_IF(IM, io_uring_register, 1, IORING_REGISTER_ENABLE_RINGS),
	CALL_IF(M, io_uring_register, 1, IORING_REGISTER_RESTRICTIONS),
	CALL(M, io_uring_setup), /* the loop of a controller or a network interface that is added */
	CALL(IM, readv),
	CALL(IM, pread64),
	CALL(M, preadv), /* the kernel, again, at a reset */
	CALL(IM, pwrite64),
	CALL(IM, fdatasync),
	CALL(IM, ftruncate),
	CALL(ALL, fallocate), /* V: memory that the guest gives back by hypercall */
	CALL(IM, lseek),
	CALL(IM, fstat),
	CALL(IM, newfstatat),
	CALL(IM, statx),
	CALL(IM, flock),
	CALL_IF(IM, fcntl, 1, F_GETFD),
	CALL_IF(IM, fcntl, 1, F_SETFD),
	CALL_IF(IM, fcntl, 1, F_GETFL),
	CALL_IF(IM, fcntl, 1, F_SETFL),
	CALL_IF(IM, fcntl, 1, F_OFD_GETLK),
	CALL_IF(IM, fcntl, 1, F_OFD_SETLK),
	CALL(IM, poll),
	CALL(IM, ppoll),

	/* Files by name: what is added to a VM that runs, its result, its sockets' names. */
	CALL(IM, openat),
	CALL(IM, unlink),
	CALL(IM, chmod),
	CALL(M, rename),

	/* Control groups of VPs: read, changed, and removed in the end, with others' left-overs. */
	CALL(M, getdents64),
	CALL(M, fgetxattr),
	CALL(M, fsetxattr),
	CALL(M, mkdirat),
	CALL(M, unlinkat),
	CALL(M, sched_setaffinity),

	/* Sockets: of the machine (AF_UNIX), and for what becomes of TAP devices (AF_NETLINK). */
	CALL_IF(IM, socket, 0, AF_UNIX),
	CALL_IF(IM, socket, 0, AF_NETLINK),
	CALL(IM, bind),
	CALL(IM, listen),
	CALL(IM, accept4),
	CALL(IM, connect),
	CALL(M, getsockopt), /* who asks for something at the control socket */
	CALL(IM, setsockopt),
	CALL(IM, recvfrom),
	CALL(IM, sendto),
	CALL(M, shutdown),

	/* Memory: of the heap, of stacks, and of the guest; never executable. */
	CALL(ALL, brk),
	CALL_WITHOUT(ALL, mmap, 2, PROT_EXEC),
	CALL_WITHOUT(ALL, mprotect, 2, PROT_EXEC),
	CALL(ALL, mremap),
	CALL(ALL, munmap),
	CALL(ALL, madvise),

	/* Threads, locks and time. */
	CALL(ALL, futex),
	CALL(ALL, sched_yield),
	CALL(ALL, sched_getaffinity), /* malloc() asks it before it makes an arena */
	CALL(ALL, sysinfo),           /* and qsort() this */
	CALL(ALL, getpid),
	CALL(ALL, gettid),
	CALL(ALL, clock_gettime), /* where the vDSO cannot */
	CALL(ALL, gettimeofday),
	CALL(ALL, nanosleep),
	CALL(ALL, clock_nanosleep),
	CALL(ALL, restart_syscall),
	CALL(ALL, getrandom),
	CALL(VM, timer_settime),
	CALL(M, timer_delete),
	/* An added device's loop; unpacking a kernel again, at a reset. */
	CALL_WITH(M, clone, 0, THREAD_FLAGS, NEW_FLAGS),
	CALL(ALL, rseq),
	CALL(ALL, set_robust_list),
	CALL_IF(ALL, prctl, 0, PR_SET_NAME),
	CALL(M, setsid), /* --detach, as the VM begins to run */
	CALL(M, dup2),

	/* Signals: a VP's kick, the terminal's, and the way to the end. */
	CALL(ALL, rt_sigprocmask),
	CALL(ALL, rt_sigaction),
	CALL(ALL, rt_sigreturn),
	CALL(ALL, tgkill),
	CALL_IF(IM, kill, 1, SIGKILL), /* candela-slirp, when its interface goes */
	CALL(IM, wait4),
	CALL(M, getpgrp),
	CALL(ALL, exit),
	CALL(ALL, exit_group),

	/* Later threads of M's enter by themselves, and get their own filter on top of its. */
	CALL_IF(M, prctl, 0, PR_SET_NO_NEW_PRIVS),
	CALL(M, capget),
	CALL(M, capset),
	CALL(M, landlock_restrict_self),
	CALL_IF(M, prctl, 0, PR_GET_NAME),
	CALL(M, seccomp),
};

const size_t sandbox_rule_count = ARRAY_SIZE(sandbox_rules);

/* The C library tries it first, and its flags stand in memory, where no filter can look. */
const int sandbox_unknown_calls[] = {SYS_clone3};

const size_t sandbox_unknown_call_count = ARRAY_SIZE(sandbox_unknown_calls);
