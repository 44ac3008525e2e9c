return MemVirt.Cpu.NativeTests.Consoles.EchoGuest.Run(args);
