//! Compiles WAMR's C source, which the package `wamrx-sys` carries: the fast interpreter alone.

#[path = "../c_peer.rs"]
mod c_peer;

use std::env;
use std::path::Path;

/// What WAMR's own cmake files compile for this configuration, with the
/// portable form of `invokeNative`, which a raw host function does not go through.
const FILES: [&str; 34] = [
    "iwasm/common/arch/invokeNative_general.c",
    "iwasm/common/wasm_application.c",
    "iwasm/common/wasm_blocking_op.c",
    "iwasm/common/wasm_c_api.c",
    "iwasm/common/wasm_exec_env.c",
    "iwasm/common/wasm_loader_common.c",
    "iwasm/common/wasm_memory.c",
    "iwasm/common/wasm_native.c",
    "iwasm/common/wasm_runtime_common.c",
    "iwasm/common/wasm_shared_memory.c",
    "iwasm/interpreter/wasm_interp_fast.c",
    "iwasm/interpreter/wasm_loader.c",
    "iwasm/interpreter/wasm_runtime.c",
    "shared/mem-alloc/ems/ems_alloc.c",
    "shared/mem-alloc/ems/ems_gc.c",
    "shared/mem-alloc/ems/ems_hmu.c",
    "shared/mem-alloc/ems/ems_kfc.c",
    "shared/mem-alloc/mem_alloc.c",
    "shared/platform/common/posix/posix_blocking_op.c",
    "shared/platform/common/posix/posix_malloc.c",
    "shared/platform/common/posix/posix_memmap.c",
    "shared/platform/common/posix/posix_sleep.c",
    "shared/platform/common/posix/posix_thread.c",
    "shared/platform/common/posix/posix_time.c",
    "shared/platform/linux/platform_init.c",
    "shared/utils/bh_assert.c",
    "shared/utils/bh_bitmap.c",
    "shared/utils/bh_common.c",
    "shared/utils/bh_hashmap.c",
    "shared/utils/bh_leb128.c",
    "shared/utils/bh_list.c",
    "shared/utils/bh_log.c",
    "shared/utils/bh_vector.c",
    "shared/utils/runtime_timer.c",
];

const FOLDERS: [&str; 7] = [
    "iwasm/common",
    "iwasm/include",
    "iwasm/interpreter",
    "shared/mem-alloc",
    "shared/platform/include",
    "shared/platform/linux",
    "shared/utils",
];

/// WAMR's own defaults, but for AOT and the JITs, which are off if not named; SIMD, which the
/// interpreter has only with a further library; the GS register, which only AOT code reads; and
/// bounds found by the processor, which need a signal handler.
const DEFINITIONS: [(&str, &str); 16] = [
    ("_GNU_SOURCE", "1"),
    ("BH_FREE", "wasm_runtime_free"),
    ("BH_MALLOC", "wasm_runtime_malloc"),
    ("BH_PLATFORM_LINUX", "1"),
    ("NDEBUG", "1"),
    ("WASM_DISABLE_HW_BOUND_CHECK", "1"),
    ("WASM_DISABLE_STACK_HW_BOUND_CHECK", "1"),
    ("WASM_DISABLE_WRITE_GS_BASE", "1"),
    ("WASM_ENABLE_BULK_MEMORY", "1"),
    ("WASM_ENABLE_BULK_MEMORY_OPT", "1"),
    ("WASM_ENABLE_CALL_INDIRECT_OVERLONG", "1"),
    ("WASM_ENABLE_FAST_INTERP", "1"),
    ("WASM_ENABLE_INTERP", "1"),
    ("WASM_ENABLE_REF_TYPES", "1"),
    ("WASM_ENABLE_SHRUNK_MEMORY", "1"),
    ("WASM_HAVE_MREMAP", "1"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../c_peer.rs");
    let core = c_peer::package_folder("wamrx-sys").join("wasm-micro-runtime/core");
    let mut build = cc::Build::new();
    // The fast build, whatever cargo's profile is.
    build.opt_level(3).debug(false).warnings(false).std("gnu99");
    configure(&mut build, &core);
    println!("cargo::rustc-env=PEER_WAMR_COMPILER={}", c_peer::compiler(&build));
    build.compile("iwasm");
    for library in ["m", "dl", "pthread"] {
        println!("cargo::rustc-link-lib=dylib={library}");
    }
}

fn configure(build: &mut cc::Build, core: &Path) {
    build.files(FILES.map(|file| core.join(file)));
    build.include(core).includes(FOLDERS.map(|folder| core.join(folder)));
    for (name, value) in DEFINITIONS {
        build.define(name, value);
    }
    build.define(target(), None);
}

fn target() -> &'static str {
    match (env::var("CARGO_CFG_TARGET_OS").as_deref(), env::var("CARGO_CFG_TARGET_ARCH").as_deref())
    {
        (Ok("linux"), Ok("x86_64")) => "BUILD_TARGET_X86_64",
        (Ok("linux"), Ok("aarch64")) => "BUILD_TARGET_AARCH64",
        other => panic!("WAMR is compiled for 64-bit Linux here, not for {other:?}"),
    }
}
