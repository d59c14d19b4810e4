import { Markdown } from "../../page/Markdown.tsx";
import "../../page/markdown.css";
import { show } from "./harness.tsx";
import { Ours } from "./ours.tsx";

show(<Ours render={(text, isOpen) => <Markdown text={text} isStreaming={isOpen} />} />);
