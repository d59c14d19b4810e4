import { show } from "./harness.tsx";
import { Usual } from "./usual.tsx";

show(<Usual render={(text) => <p style={{ whiteSpace: "pre-wrap" }}>{text}</p>} />);
