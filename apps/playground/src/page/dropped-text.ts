/** How the names of files end that hold a text, where the browser does not know their type. */
const ENDINGS = /\.(txt|text|md|markdown|csv|tsv|log|html?|xml|tex|srt|rst|org)$/i;

/** Whether what was dropped is a text: one file, and none of a model. */
export function isText({ files }: DataTransfer): boolean {
  const [file, ...others] = files;
  return file !== undefined && others.length === 0 && (file.type.startsWith("text/") || ENDINGS.test(file.name));
}
