// The header is where the library's own folder has it; build.sh packs a copy of it.
#include "../../../../capi/include/wasm_runtime.h"
