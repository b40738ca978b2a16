package main

import "context"
type demo struct { cfg Config; address string; out interface{ Write([]byte)(int,error)} }
func (d demo) seed(context.Context) error { return nil }
func (d demo) introduce() {}
