/**
 * The text of an answer, as markdown that may still be growing.
 *
 * What a model writes is untrusted. HTML in it is shown as text: no parser for it is loaded, so
 * there is none to fool. Links and images are `Link`'s business. Pieces that no longer change are
 * not parsed or drawn again.
 */
import { createElement, memo, useMemo, useRef, type ComponentProps, type ReactNode } from "react";
import { Streamdown, useIsCodeFenceIncomplete, type Components } from "streamdown";
import { type Groups, inGroups } from "../src/chat/groups.ts";
import { CodeBlock } from "./CodeBlock.tsx";
import { Link, Picture } from "./Link.tsx";
import { cut, NOTHING, type Cut, type Piece } from "./pieces.ts";

/** What is out of sight is passed over group by group. */
const GROUP_SIZE = 16;

interface Props {
  text: string;
  /** Whether more may come: what is not closed yet is drawn as if it were. */
  isStreaming: boolean;
}

export const Markdown = memo(function Markdown({ text, isStreaming }: Props) {
  const before = useRef<Cut>(NOTHING);
  const groupsBefore = useRef<Groups<Piece>>([]);
  const groups = useMemo(() => {
    before.current = cut(text, before.current);
    return (groupsBefore.current = inGroups(before.current.pieces, GROUP_SIZE, groupsBefore.current));
  }, [text]);
  return (
    <div className="page-markdown">
      {groups.map((group) => (
        <GroupView key={group[0]?.start} pieces={group} isStreaming={isStreaming} />
      ))}
    </div>
  );
});

const GroupView = memo(function GroupView({ pieces, isStreaming }: { pieces: readonly Piece[]; isStreaming: boolean }) {
  return (
    <div className="page-group">
      {pieces.map((piece) => (
        <PieceView key={piece.start} piece={piece} isGrowing={isStreaming && piece.isOpen} />
      ))}
    </div>
  );
});

const PieceView = memo(function PieceView({ piece, isGrowing }: { piece: Piece; isGrowing: boolean }) {
  if (piece.kind === "code") {
    return <CodeBlock code={piece.text} language={piece.language} isComplete={!isGrowing} />;
  }
  return (
    <Streamdown
      className="page-piece"
      components={COMPONENTS}
      // None: without a parser for HTML among them, all of it is text.
      rehypePlugins={NO_PLUGINS}
      parseIncompleteMarkdown={isGrowing}
      isAnimating={isGrowing}
      controls={false}
      linkSafety={LINKS_ARE_OURS}
    >
      {piece.text}
    </Streamdown>
  );
});

const NO_PLUGINS: [] = [];
const LINKS_ARE_OURS = { enabled: false };

/** The element itself, in the direction of its own text. */
function plain(tag: string) {
  return function Plain({ children, start, style }: Plain) {
    // A list's first number, and how a table's column is aligned.
    const own: Record<string, unknown> = { dir: "auto" };
    if (start !== undefined) own["start"] = start;
    if (style?.textAlign !== undefined) own["data-align"] = style.textAlign;
    return createElement(tag, own, children);
  };
}

interface Plain {
  children?: ReactNode;
  start?: number;
  style?: { textAlign?: string };
}

const PLAIN = "p h1 h2 h3 h4 h5 h6 blockquote ul ol li strong sub sup td th thead tbody tr hr section".split(" ");

const COMPONENTS = {
  ...Object.fromEntries(PLAIN.map((tag) => [tag, tag === "hr" ? () => <hr /> : plain(tag)])),
  a: ({ href, children }: ComponentProps<"a">) => <Link href={href}>{children}</Link>,
  img: ({ src, alt }: ComponentProps<"img">) => <Picture src={src} alt={alt} />,
  // A box to tick that nobody can tick is a sign, not a field.
  input: ({ checked }: ComponentProps<"input">) => (
    <span role="img" aria-label={checked ? "Done" : "To do"} className="page-tick">
      {checked ? "☑" : "☐"}
    </span>
  ),
  table: ({ children }: ComponentProps<"table">) => (
    <div className="page-table" role="region" aria-label="Table" tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
  code: ({ children }: ComponentProps<"code">) => <code dir="ltr">{children}</code>,
  pre: Fence,
} as Components;

function Fence({ node }: { node?: FenceNode | undefined }) {
  const isIncomplete = useIsCodeFenceIncomplete();
  const code = node?.children[0];
  const classes = code?.properties?.["className"];
  const language = Array.isArray(classes)
    ? classes.map(String).find((name) => name.startsWith("language-"))
    : undefined;
  return (
    <CodeBlock
      code={textOf(code).replace(/\n$/, "")}
      language={language?.slice("language-".length) ?? ""}
      isComplete={!isIncomplete}
    />
  );
}

interface FenceNode {
  value?: string;
  properties?: Record<string, unknown>;
  children: FenceNode[];
}

function textOf(node: FenceNode | undefined): string {
  if (node === undefined) return "";
  return node.value ?? (node.children ?? []).map(textOf).join("");
}
