// Runs the conformance suite under Node.js: node run.mjs MODULE. Its exit code is the suite's.
import { readFileSync, writeSync } from "node:fs";

class Exit {
  constructor(code) {
    this.code = code;
  }
}

const board = {
  write: (text, len) => writeSync(1, new Uint8Array(instance.exports.memory.buffer, text, len)),
  clock_us: () => performance.now() * 1000,
  exit: (code) => {
    throw new Exit(code);
  },
};

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { board });
try {
  instance.exports.run();
} catch (end) {
  if (!(end instanceof Exit)) console.error(`the module trapped: ${end}`);
  process.exitCode = end instanceof Exit ? end.code : 1;
}
