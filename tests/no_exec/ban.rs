//! Two bans on executable memory that hold for a whole process and for ever, and the ways around them.
//! Shared by `tests/no_exec.rs` and `benches/examples/no_exec.rs`.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::{env::consts::ARCH, fs, io, ptr};

/// Who refuses executable memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ban {
    /// The kernel: memory that can be written never becomes executable (`PR_SET_MDWE`, Linux 6.3). The
    /// system call fails, so the program sees an error.
    Mdwe,
    /// A filter: the first system call that asks for executable memory, of any kind, ends the process
    /// with `SIGSYS`. So nothing has to be trusted to report the error.
    Seccomp,
}

/// A way to come by executable memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gain {
    /// A new mapping that can be written and executed.
    Map,
    /// A new mapping that can only be executed.
    MapReadOnly,
    /// A written mapping made executable, as a JIT does.
    Protect,
    /// The same with a protection key.
    PkeyProtect,
    /// A file in memory, which can be mapped executable later.
    Memfd,
    /// A shared memory segment attached executable.
    Shm,
    /// Everything readable from now on is executable.
    Personality,
}

const PR_SET_MDWE: libc::c_int = 65;
const PR_GET_MDWE: libc::c_int = 66;
const PR_MDWE_REFUSE_EXEC_GAIN: libc::c_ulong = 1;
const READ_IMPLIES_EXEC: libc::c_ulong = 0x40_0000;
/// Asks for the personality instead of setting it.
const PERSONALITY_QUERY: libc::c_ulong = 0xffff_ffff;
const PAGE: usize = 4096;

impl Ban {
    pub const ALL: [Self; 2] = [Self::Mdwe, Self::Seccomp];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mdwe => "mdwe",
            Self::Seccomp => "seccomp",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ban| ban.name() == name)
    }

    /// Imposes the ban on all threads of this process. `Unsupported` if the kernel does not have it.
    pub fn impose(self) -> io::Result<()> {
        no_core_dumps()?;
        match self {
            Self::Mdwe => refuse_exec_gain(),
            Self::Seccomp => {
                seccompiler::apply_filter_all_threads(&filter()?).map_err(io::Error::other)
            }
        }
    }

    /// What the ban must stop. MDWE lets memory through that could never be written.
    pub fn stops(self, gain: Gain) -> bool {
        self == Self::Seccomp || matches!(gain, Gain::Map | Gain::Protect | Gain::PkeyProtect)
    }
}

impl Gain {
    pub const ALL: [Self; 7] = [
        Self::Map,
        Self::MapReadOnly,
        Self::Protect,
        Self::PkeyProtect,
        Self::Memfd,
        Self::Shm,
        Self::Personality,
    ];

    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gain| gain.name() == name)
    }

    /// Tries it, and leaves behind what it got.
    pub fn attempt(self) -> io::Result<()> {
        const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;
        const READ_EXEC: libc::c_int = libc::PROT_READ | libc::PROT_EXEC;
        match self {
            Self::Map => map(READ_WRITE | libc::PROT_EXEC).map(drop),
            Self::MapReadOnly => map(READ_EXEC).map(drop),
            Self::Protect => {
                let page = map(READ_WRITE)?;
                // SAFETY: the page was just mapped, and nothing of ours lies in it.
                check(unsafe { libc::mprotect(page, PAGE, READ_EXEC) }.into()).map(drop)
            }
            Self::PkeyProtect => {
                let page = map(READ_WRITE)?;
                // SAFETY: as above; key -1 means none.
                let done =
                    unsafe { libc::syscall(libc::SYS_pkey_mprotect, page, PAGE, READ_EXEC, -1) };
                check(done).map(drop)
            }
            // SAFETY: the name is a C string.
            Self::Memfd => {
                check(unsafe { libc::memfd_create(c"code".as_ptr(), 0) }.into()).map(drop)
            }
            Self::Shm => attach_executable(),
            // SAFETY: this system call takes a number only.
            Self::Personality => {
                check(unsafe { libc::personality(READ_IMPLIES_EXEC) }.into()).map(drop)
            }
        }
    }
}

/// The mappings of this process that can be executed, by address.
pub fn executable_mappings() -> io::Result<Vec<String>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let executable = |line: &&str| line.split(' ').nth(1).is_some_and(|mode| mode.contains('x'));
    Ok(maps.lines().filter(executable).map(Into::into).collect())
}

fn refuse_exec_gain() -> io::Result<()> {
    // SAFETY: these `prctl`s take numbers only and touch no memory of ours.
    let (set, got) = unsafe {
        (
            libc::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0_u64, 0_u64, 0_u64),
            libc::prctl(PR_GET_MDWE, 0_u64, 0_u64, 0_u64, 0_u64),
        )
    };
    match (set, got) {
        (0, 1) => Ok(()),
        (0, _) => Err(io::Error::other("the kernel took PR_SET_MDWE and does not mind it")),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel has no PR_SET_MDWE: Linux has it since 6.3",
        )),
    }
}

fn filter() -> io::Result<BpfProgram> {
    if current_personality()? & READ_IMPLIES_EXEC != 0 {
        return Err(io::Error::other("this process was started with READ_IMPLIES_EXEC"));
    }
    let has = |mask: libc::c_int| {
        let mask = mask as u64;
        argument(2, SeccompCmpOp::MaskedEq(mask), mask)
    };
    let rules = [
        (libc::SYS_mmap, vec![has(libc::PROT_EXEC)?]),
        (libc::SYS_mprotect, vec![has(libc::PROT_EXEC)?]),
        (libc::SYS_pkey_mprotect, vec![has(libc::PROT_EXEC)?]),
        (libc::SYS_shmat, vec![has(libc::SHM_EXEC)?]),
        (libc::SYS_personality, vec![argument(0, SeccompCmpOp::Ne, PERSONALITY_QUERY)?]),
        (libc::SYS_memfd_create, vec![]), // whatever its arguments
    ];
    let arch = ARCH.try_into().map_err(io::Error::other)?;
    let (others, these) = (SeccompAction::Allow, SeccompAction::KillProcess);
    let filter = SeccompFilter::new(rules.into_iter().collect(), others, these, arch);
    filter.and_then(TryInto::try_into).map_err(io::Error::other)
}

fn argument(number: u8, operator: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
    SeccompCondition::new(number, SeccompCmpArgLen::Dword, operator, value)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(io::Error::other)
}

fn current_personality() -> io::Result<libc::c_ulong> {
    // SAFETY: this system call takes a number only, and this number changes nothing.
    check(unsafe { libc::personality(PERSONALITY_QUERY) }.into())
        .map(|flags| flags as libc::c_ulong)
}

fn map(protection: libc::c_int) -> io::Result<*mut libc::c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice, which nobody uses.
    let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(page) }
}

fn attach_executable() -> io::Result<()> {
    // SAFETY: a segment of our own, attached where the kernel likes, and gone with the process.
    unsafe {
        let segment = libc::shmget(libc::IPC_PRIVATE, PAGE, 0o700);
        check(segment.into())?;
        let attached = libc::shmat(segment, ptr::null(), libc::SHM_EXEC);
        let failed = io::Error::last_os_error();
        libc::shmctl(segment, libc::IPC_RMID, ptr::null_mut());
        if attached as isize == -1 { Err(failed) } else { Ok(()) }
    }
}

/// `SIGSYS` would leave one behind.
fn no_core_dumps() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is a limit and lives for the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) }.into()).map(drop)
}

fn check(returned: libc::c_long) -> io::Result<libc::c_long> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
