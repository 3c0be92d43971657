import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const workspace = fileURLToPath(new URL("..", import.meta.url));

/** One import of a source file. `onDemand` is `import("...")`; `typeOnly` leaves nothing in the output. */
export interface Import {
  readonly specifier: string;
  readonly onDemand: boolean;
  readonly typeOnly: boolean;
}

/** A package of the workspace: its folder (`packages/nn`), its name and what its package.json lets it import. */
export interface Package {
  readonly folder: string;
  readonly name: string;
  readonly dependencies: ReadonlySet<string>;
  readonly exports: Record<string, Record<string, string>>;
  /** Whether it is for this repository alone, and never on npm. */
  readonly isPrivate: boolean;
}

/** The packages that others install. */
export const publishedPackages = (): Package[] => workspacePackages().filter(({ isPrivate }) => !isPrivate);

export function workspacePackages(): Package[] {
  return ["packages", "apps"].flatMap((group) =>
    readdirSync(join(workspace, group), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => {
        const folder = `${group}/${entry.name}`;
        const manifest = JSON.parse(readFileSync(join(workspace, folder, "package.json"), "utf8"));
        const dependencies = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
        const { name, exports, private: isPrivate = false } = manifest;
        return { folder, name, dependencies, exports, isPrivate };
      }),
  );
}

/** Every TypeScript file in a package's `src` and `test`, as paths from the workspace's root with forward slashes. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(join(workspace, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.m?ts$/.test(entry.name))
    .map((entry) => relative(workspace, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((path) => path.startsWith(`${folder}/src/`) || path.startsWith(`${folder}/test/`));
}

/** What a source text imports, re-exports and loads on demand, read from its syntax tree. */
export function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ specifier: node.moduleSpecifier.text, onDemand: false, typeOnly });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push({ specifier: node.moduleSpecifier.text, onDemand: false, typeOnly: node.isTypeOnly });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const specifier = node.arguments[0];
      if (specifier && ts.isStringLiteralLike(specifier)) {
        found.push({ specifier: specifier.text, onDemand: true, typeOnly: false });
      }
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const { literal } = node.argument;
      if (ts.isStringLiteral(literal)) found.push({ specifier: literal.text, onDemand: true, typeOnly: true });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("source.ts", text, ts.ScriptTarget.ES2023));
  return found;
}
