import Markdown from "react-markdown";
import { show } from "./harness.tsx";
import { Usual } from "./usual.tsx";

// Without remark-gfm, so without tables: less work than ours does, not more.
show(<Usual render={(text) => <Markdown>{text}</Markdown>} />);
