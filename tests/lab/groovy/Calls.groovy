// Copyright (c) 2026, The mooring.stack authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// What a Groovy file says, as JSON, for tests/lab/jenkins_conf.py. `Calls.groovy parse FILE` compiles it and shows its
// calls, one inside the other, as Declarative Pipeline reads them. `Calls.groovy run FILE` carries it out, and shows
// each call that nobody here answers, with the calls of the closure that it was given, as Job DSL would get them.
import groovy.json.JsonOutput
import org.codehaus.groovy.ast.ClassNode
import org.codehaus.groovy.ast.builder.AstBuilder
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.*
import org.codehaus.groovy.control.CompilePhase

class Recorder {
    List calls = []

    def invokeMethod(String name, Object given) {
        List arguments = (given as Object[]) as List
        Map call = [name: name, arguments: arguments.findAll { !(it instanceof Closure) }, inside: []]
        Closure body = arguments.find { it instanceof Closure }
        if (body != null) {
            Recorder inner = new Recorder()
            body = (Closure) body.clone()
            body.delegate = inner
            body.resolveStrategy = Closure.DELEGATE_FIRST
            body.call()
            call.inside = inner.calls
        }
        calls << call
    }
}

abstract class Recording extends Script {
    Recorder recorder = new Recorder()

    Object invokeMethod(String name, Object given) {
        recorder.invokeMethod(name, given)
    }
}

Object value(Expression one) {
    switch (one) {
        case ConstantExpression: return one.value
        case GStringExpression: return one.text
        case TupleExpression: return one.expressions.collect { value(it) }
        case ListExpression: return one.expressions.collect { value(it) }
        case MapExpression:
            return one.mapEntryExpressions.collectEntries { [value(it.keyExpression), value(it.valueExpression)] }
        case MethodCallExpression: return shown(one)
        default: return one.text
    }
}

Map shown(MethodCallExpression call) {
    List given = call.arguments instanceof TupleExpression ? call.arguments.expressions : [call.arguments]
    ClosureExpression body = (ClosureExpression) given.find { it instanceof ClosureExpression }
    [name: call.methodAsString, arguments: given.findAll { !(it instanceof ClosureExpression) }.collect { value(it) },
     inside: body == null ? [] : statements(body.code), line: call.lineNumber]
}

// The text of a negation has not got its sign.
String condition(IfStatement one) {
    Expression given = one.booleanExpression
    (given instanceof NotExpression || given.expression instanceof NotExpression ? '!' : '') + given.text
}

List statements(Statement code) {
    switch (code) {
        case BlockStatement: return code.statements.collectMany { statements(it) }
        case IfStatement: return [[name: 'if', arguments: [condition(code)], inside: statements(code.ifBlock),
                                   line: code.lineNumber]] + statements(code.elseBlock)
        case ExpressionStatement: return code.expression instanceof MethodCallExpression ? [shown(code.expression)]
            : [[name: '', arguments: [code.expression.text], inside: [], line: code.lineNumber]]
        case ReturnStatement: return code.expression instanceof MethodCallExpression ? [shown(code.expression)]
            : [[name: '', arguments: [code.expression.text], inside: [], line: code.lineNumber]]
        default: return []
    }
}

def (String what, String path) = args as List
String text = new File(path).getText('UTF-8')
if (what == 'parse') {
    def found = new AstBuilder().buildFromString(CompilePhase.CONVERSION, false, text)
    List functions = found.findAll { it instanceof ClassNode }.collectMany { it.methods }.findAll { it.lineNumber > 0 }
    println JsonOutput.toJson(statements(found[0]) + functions.collect {
        [name: "def ${it.name}".toString(), arguments: [], inside: statements(it.code), line: it.lineNumber]
    })
} else {
    def configuration = new org.codehaus.groovy.control.CompilerConfiguration(scriptBaseClass: Recording.name)
    Recording script = (Recording) new GroovyShell(this.class.classLoader, new Binding(), configuration).parse(text)
    script.run()
    println JsonOutput.toJson(script.recorder.calls)
}
