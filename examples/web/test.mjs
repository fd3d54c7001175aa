// All tests of this folder: `test.sh` builds what they need and runs them.

import './test_binding.mjs';
import './test_page.mjs';
