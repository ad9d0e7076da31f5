// Face of Microsoft's Kusto.Language library (compiled to JavaScript with Bridge.NET) towards kql_check.py. What is
// given and returned crosses the border as JSON.
"use strict";

// Bridge.NET starts like a web page and looks for these.
globalThis.window = globalThis;
globalThis.document = { readyState: "complete" };
globalThis.attachEvent = globalThis.addEventListener = () => {};
globalThis.console ??= { log() {}, warn() {}, error() {} };

const apiwardKql = {
  // Lists in Kusto.Language are .NET lists.
  items(list) {
    return Array.from({ length: list.Count }, (_, index) => list.getItem(index));
  },

  unknownTypes(tables) {
    const { ScalarTypes } = Kusto.Language.Symbols;
    const columns = tables.flatMap((table) => table.columns.map(([column, type]) => [table.name, column, type]));
    return columns.filter(([, , type]) => !ScalarTypes.GetSymbol(type));
  },

  table({ name, columns }) {
    const { ColumnSymbol, ScalarTypes, TableSymbol } = Kusto.Language.Symbols;
    const symbol = (column, type) => new ColumnSymbol.ctor(column, type, null, null, null, null);
    return new TableSymbol.$ctor4(
      name,
      columns.map(([column, type]) => symbol(column, ScalarTypes.GetSymbol(type))),
    );
  },

  stored({ name, parameters, body }) {
    const { FunctionSymbol, Tabularity } = Kusto.Language.Symbols;
    return new FunctionSymbol.$ctor15(name, `(${parameters})`, `{${body}\n}`, Tabularity.Tabular, null);
  },

  // Answers [table, column, type] of each column that cannot be loaded.
  load(tables, functions) {
    const unknown = apiwardKql.unknownTypes(tables);
    if (unknown.length) return unknown;
    const { GlobalState, Symbols } = Kusto.Language;
    const symbols = [...tables.map(apiwardKql.table), ...functions.map(apiwardKql.stored)];
    apiwardKql.globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("workspace", symbols));
    return [];
  },

  // Diagnostics of text[from, to), positions counted from `from`.
  diagnostics(text, from, to) {
    const code = Kusto.Language.KustoCode.ParseAndAnalyze(text, apiwardKql.globals);
    return apiwardKql.items(code.GetDiagnostics()).map((diagnostic) => {
      const start = Math.min(Math.max(diagnostic.Start, from), to) - from;
      const lines = text.slice(from, from + start).split("\n");
      return {
        code: diagnostic.Code,
        severity: diagnostic.Severity,
        message: diagnostic.Message,
        start,
        line: lines.length,
        column: lines.at(-1).length + 1,
      };
    });
  },

  check(query) {
    return apiwardKql.diagnostics(query, 0, query.length);
  },

  // A stored function's own faults are not reported where it is called, so its body is checked as a declaration.
  checkFunction(parameters, body) {
    const head = `let checked = (${parameters}) {`;
    return apiwardKql.diagnostics(`${head}${body}\n};\nprint 1`, head.length, head.length + body.length);
  },

  columns(query) {
    const type = Kusto.Language.KustoCode.ParseAndAnalyze(query, apiwardKql.globals).ResultType;
    const columns = type?.Columns ? apiwardKql.items(type.Columns) : [];
    return columns.map((column) => [column.Name, column.Type.Name]);
  },
};
