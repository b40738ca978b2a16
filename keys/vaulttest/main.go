// Command vaulttest is a real HashiCorp Vault in one process, for tests and for a trial hub.
//
// It is Vault's own core and HTTP handler with the two plugins the hub needs (transit and
// AppRole), and nothing that reaches out: one listener on loopback, no cloud seal, no
// cluster. It writes its address, root token and unseal key to a file, so
// it guards nothing: it is no server for keys that matter.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	var o options
	flag.StringVar(&o.store, "store", "", "folder of the storage; in memory without one")
	flag.StringVar(&o.state, "state", "", "file for {addr, root_token, unseal_key}: written at each start, and read when the storage is not new")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "address to listen on")
	flag.BoolVar(&o.sealed, "sealed", false, "leave it sealed, as a production server is after a start")
	tied := flag.Bool("tied", false, "end when standard input ends, so with the process at its other end, however that ends")
	flag.Parse()
	if *tied {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	if err := serve(o); err != nil {
		fmt.Fprintln(os.Stderr, "vaulttest:", err)
		os.Exit(1)
	}
}
