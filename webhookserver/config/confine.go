package config

import (
	"strings"
	"text/template"
	"text/template/parse"
)

// stepFunction is what is called in every loop. The parser does not know it, so that no template can name it.
const stepFunction = "step"

// confiner walks a parsed template: it refuses what is not of the language, and puts a step into each loop.
type confiner struct {
	text    string
	problem *ExpressionError
}

// refuse notes a problem, the first one only.
func (c *confiner) refuse(at parse.Pos, problem string) {
	if c.problem != nil {
		return
	}
	before := c.text[:min(int(at), len(c.text))]
	line := strings.LastIndexByte(before, '\n') + 1
	c.problem = &ExpressionError{Line: strings.Count(before, "\n") + 1, Column: len(before) - line + 1, Problem: problem}
}

func (c *confiner) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, node := range l.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			c.pipe(node.Pipe)
		case *parse.IfNode:
			c.branch(&node.BranchNode)
		case *parse.WithNode:
			c.branch(&node.BranchNode)
		case *parse.RangeNode:
			c.branch(&node.BranchNode)
			node.List.Nodes = append([]parse.Node{step.Copy()}, node.List.Nodes...)
		case *parse.TemplateNode:
			c.refuse(node.Pos, "templates cannot be called here")
		}
	}
}

func (c *confiner) branch(b *parse.BranchNode) {
	c.pipe(b.Pipe)
	c.list(b.List)
	c.list(b.ElseList)
}

func (c *confiner) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, command := range p.Cmds {
		for _, arg := range command.Args {
			c.argument(arg)
		}
	}
}

func (c *confiner) argument(node parse.Node) {
	switch node := node.(type) {
	case *parse.PipeNode:
		c.pipe(node)
	case *parse.ChainNode:
		c.argument(node.Node)
	case *parse.IdentifierNode:
		if !builtin[node.Ident] && functions[node.Ident] == nil {
			c.refuse(node.Pos, "function "+node.Ident+" cannot be used here")
		}
	}
}

// step is the action `{{ step }}`, made by the parser so that it is whole.
var step = func() parse.Node {
	trees, err := parse.Parse("", "{{ "+stepFunction+" }}", "", "", map[string]any{stepFunction: true})
	if err != nil {
		panic(err) // it is a constant
	}
	return trees[""].Root.Nodes[0]
}()

// builtin are the functions of text/template that are taken as they are.
var builtin = map[string]bool{"and": true, "or": true, "not": true, "index": true, "slice": true, "len": true}

// placeholders are what the parser must know; which of them may be used, the confiner decides.
var placeholders = template.FuncMap(functions)
