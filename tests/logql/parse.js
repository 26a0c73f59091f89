// Reads a JSON list of LogQL expressions; writes a JSON list with "" for each that is well-formed, and with where
// and what is wrong for each that is not.
import { readFileSync } from "node:fs";
import { parser } from "@grafana/lezer-logql";

function wrong(expression) {
  let found = "";
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError && !found) {
        found = `at ${node.from}: ${expression.slice(node.from, node.from + 30) || "the end"}`;
      }
    },
  });
  return found;
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(wrong)));
