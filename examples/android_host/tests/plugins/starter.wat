;; Calls its host when a sandbox is made.
(module
  (import "env" "int" (func $int (param i32) (result i32)))
  (global $got (export "got") (mut i32) (i32.const 0))
  (func $begin (global.set $got (call $int (i32.const 7))))
  (start $begin)
  (func (export "got_it") (result i32) (global.get $got)))
