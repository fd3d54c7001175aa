//! What a benchmark relies on: the same of both peers in C.

use peer_wamr as peer;

include!("../../c_peer_tests.rs");
