import { Streamdown } from "streamdown";
import { show } from "./harness.tsx";
import { Usual } from "./usual.tsx";

// The best that goes with the AI SDK: its own markdown for streams.
show(<Usual render={(text) => <Streamdown>{text}</Streamdown>} />);
