package gitops_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"
)

// scriptTime is how long Argo CD lets a script run.
const scriptTime = time.Second

func TestArgoCD(t *testing.T) {
	each(t, func(t *testing.T, kind string, row health) {
		got := runHealthCheck(t, kind, object(t, kind, row).Object)
		if diff := cmp.Diff(row.HealthStatus, got); diff != "" {
			t.Errorf("health (-want +got):\n%s", diff)
		}
	})
}

// The ConfigMap that `kubectl apply -k config/gitops/argocd` merges into Argo CD's own holds both scripts.
func TestArgoCDConfigMapHoldsTheScripts(t *testing.T) {
	folder := filepath.Join(root, "config", "gitops", "argocd")
	data, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct {
		ConfigMapGenerator []struct {
			Name  string   `json:"name"`
			Files []string `json:"files"`
		} `json:"configMapGenerator"`
	}
	if err := yaml.Unmarshal(data, &kustomization); err != nil {
		t.Fatal(err)
	}
	const prefix = "resource.customizations.health.channellink.dev_"
	want := []string{
		prefix + "ChannelLink=resource_customizations/channellink.dev/ChannelLink/health.lua",
		prefix + "AccountUnlink=resource_customizations/channellink.dev/AccountUnlink/health.lua",
	}
	if diff := cmp.Diff(want, kustomization.ConfigMapGenerator[0].Files); diff != "" {
		t.Errorf("entries of %s (-want +got):\n%s", kustomization.ConfigMapGenerator[0].Name, diff)
	}
	for _, kind := range []string{"ChannelLink", "AccountUnlink"} {
		healthScript(t, kind)
	}
}

// runHealthCheck runs the kind's health.lua as Argo CD runs a script of its ConfigMap: with the basic, package and table
// libraries, the object in the global `obj`, and a second of time.
func runHealthCheck(t *testing.T, kind string, object map[string]any) verdict {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), scriptTime)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", luaValue(t, state, object))
	if err := state.DoString(healthScript(t, kind)); err != nil {
		t.Fatal(err)
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns a %s, want a table", state.Get(-1).Type())
	}
	got := map[string]string{}
	table.ForEach(func(key, value lua.LValue) { got[key.String()] = value.String() })
	for key := range got {
		if key != "status" && key != "message" {
			t.Errorf("the script returns %q, of which Argo CD knows nothing", key)
		}
	}
	return verdict{Status: got["status"], Message: got["message"]}
}

func healthScript(t *testing.T, kind string) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(customizations, kind, "health.lua"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// luaValue gives a value of an unstructured object to Lua.
func luaValue(t *testing.T, state *lua.LState, value any) lua.LValue {
	t.Helper()
	switch value := value.(type) {
	case nil:
		return lua.LNil
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(luaValue(t, state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, luaValue(t, state, item))
		}
		return table
	default:
		t.Fatalf("an object holds a %T", value)
		return nil
	}
}
