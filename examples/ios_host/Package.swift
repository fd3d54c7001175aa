// swift-tools-version:5.9
import Foundation
import PackageDescription

// In the package that build.sh packs the library lies beside this file. In the repository it is built by cargo, and
// the linker is told where: see test.sh.
let framework = "WasmRuntime.xcframework"
let isPacked = FileManager.default.fileExists(atPath: Context.packageDirectory + "/" + framework)

let library: Target = isPacked
    ? .binaryTarget(name: "CWasmRuntime", path: framework)
    : .systemLibrary(name: "CWasmRuntime")

let wrapper = Target.target(
    name: "WasmRuntime",
    dependencies: ["CWasmRuntime"],
    resources: [.copy("PrivacyInfo.xcprivacy")],
    swiftSettings: [.enableExperimentalFeature("StrictConcurrency")])

// The tests need the repository's plugins.
let tests = Target.testTarget(name: "WasmRuntimeTests", dependencies: ["WasmRuntime"])

let package = Package(
    name: "WasmRuntime",
    platforms: [.iOS(.v13), .macOS(.v10_15)],
    products: [.library(name: "WasmRuntime", targets: ["WasmRuntime"])],
    targets: isPacked ? [library, wrapper] : [library, wrapper, tests])
