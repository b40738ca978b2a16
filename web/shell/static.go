package shell

import (
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
)

//go:embed static
var static embed.FS

// asset is one file of style or script.
type asset struct {
	path, kind, integrity string
	content               []byte
}

// assets are the files by their plain name, as people.js.
type assets map[string]asset

// loadAssets gives each file a name with the hash of its content, so that browsers may keep
// it for ever and never show old script on a new page.
func loadAssets() (assets, error) {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
		".txt": "text/plain; charset=utf-8"}
	all := assets{}
	files, err := fs.Glob(static, "static/*")
	if err != nil {
		return nil, fmt.Errorf("finding static files: %w", err)
	}
	for _, file := range files {
		content, err := static.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a static file: %w", err)
		}
		name, ext := path.Base(file), path.Ext(file)
		short, whole := sha256.Sum256(content), sha512.Sum384(content)
		all[name] = asset{
			path: "/static/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(short[:8]) + ext,
			kind: kinds[ext], content: content, integrity: "sha384-" + base64.StdEncoding.EncodeToString(whole[:]),
		}
	}
	return all, nil
}

func (a assets) path(name string) (string, error) {
	if _, ok := a[name]; !ok {
		return "", fmt.Errorf("there is no static file %s", name)
	}
	return a[name].path, nil
}

// integrity is what a script's content must digest to (Subresource Integrity): a cache in
// between that mixes up files breaks the page, not the passkeys.
func (a assets) integrity(name string) string { return a[name].integrity }

func (s *Shell) static(w http.ResponseWriter, r *http.Request) error {
	wanted := "/static/" + mux.Vars(r)["file"]
	for _, a := range s.assets {
		if a.path == wanted {
			w.Header().Set("Content-Type", a.kind)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			_, _ = w.Write(a.content)
			return nil
		}
	}
	return httpd.ErrNoSuchPath
}
