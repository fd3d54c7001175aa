;; Calls functions of its host with whatever it is told to.
(module
  (import "env" "mix" (func $mix (param i32 i64 f32 f64) (result f64)))
  (import "env" "int" (func $int (param i32) (result i32)))
  (import "env" "long" (func $long (param i64) (result i64)))
  (import "env" "float" (func $float (param f32) (result f32)))
  (import "env" "double" (func $double (param f64) (result f64)))
  (import "env" "nothing" (func $nothing))
  (import "env" "bytes" (func $bytes (param i32 i32) (result i32)))
  (import "env" "gr\c3\b6\c3\9fe-\f0\9d\84\9e" (func $size (param i32) (result i32)))
  (memory (export "memory") 1)
  (global (export "answer") i64 (i64.const 42))
  ;; "häuser-𝄞", with a zero in the middle of what is behind it.
  (data (i32.const 16) "h\c3\a4user-\f0\9d\84\9e" "a\00b")

  (func (export "mix") (param i32 i64 f32 f64) (result f64)
    (call $mix (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "int") (param i32) (result i32) (call $int (local.get 0)))
  (func (export "long") (param i64) (result i64) (call $long (local.get 0)))
  (func (export "float") (param f32) (result f32) (call $float (local.get 0)))
  (func (export "double") (param f64) (result f64) (call $double (local.get 0)))
  (func (export "nothing") (call $nothing))
  (func (export "bytes") (param i32 i32) (result i32) (call $bytes (local.get 0) (local.get 1)))
  (func (export "gr\c3\b6\c3\9fe-\f0\9d\84\9e") (param i32) (result i32) (call $size (local.get 0)))
  ;; Calls `int` so often; answers the sum.
  (func (export "often") (param $times i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $int (local.get $times))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $sum))
  ;; Calls `mix` so often.
  (func (export "mix_often") (param $times i32)
    (loop $again
      (drop (call $mix (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4)))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
  (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "poke") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "four") (param i32 i32 i32 i32) (result i32)
    (i32.sub (i32.mul (local.get 0) (local.get 1)) (i32.mul (local.get 2) (local.get 3))))
  (func (export "three64") (param i64 i64 i64) (result i64)
    (i64.sub (local.get 0) (i64.mul (local.get 1) (local.get 2))))
  (func (export "many") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 17))

  ;; The byte convention: `ask` hands the length of its input to `int`, and answers its input.
  (func (export "soch_alloc") (param $len i32) (result i32) (i32.const 1024))
  (func (export "ask") (param $ptr i32) (param $len i32) (result i64)
    (drop (call $int (local.get $len)))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))))
